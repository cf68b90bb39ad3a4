import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { type RunningServer, type ServerOptions, startServer } from "../../../server/server.ts";
import { StoreError } from "../../../server/storage/store.ts";
import { AssertionFailed } from "../../../shared/assert.ts";
import { systemClock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../../shared/gen/es/grpc/health/v1/health_pb.ts";
import { CatalogService } from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { randomIds } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { refused } from "../../support/server/served-api.ts";

describe("the server", () => {
  let dataDir: string;
  const running: RunningServer[] = [];
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "meridian-server-"));
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const loopback = { host: "127.0.0.1", port: 0 };
  const optionsOf = (fields: Partial<ServerOptions> = {}): ServerOptions => ({
    dataDir,
    listen: loopback,
    agentListen: loopback,
    httpListen: loopback,
    insecure: true,
    clock: systemClock,
    ids: randomIds,
    log: silentLogger,
    version: "1.2.3",
    ...fields,
  });
  const start = async (fields: Partial<ServerOptions> = {}): Promise<RunningServer> => {
    const server = await startServer(optionsOf(fields));
    running.push(server);
    return server;
  };
  const grpc = (server: RunningServer) => createGrpcTransport({ baseUrl: `http://${server.addresses.grpc}` });
  const vmsOf = (server: RunningServer): Client<typeof VmService> => createClient(VmService, grpc(server));
  const makeVm = async (server: RunningServer): Promise<void> => {
    const transport = createConnectTransport({ baseUrl: `http://${server.addresses.http}`, httpVersion: "1.1" });
    await createClient(CatalogService, transport).createCatalog({
      catalogId: "c",
      catalog: { spec: { url: "https://c.example.com" } },
    });
    const spec = {
      source: { case: "catalog", value: { catalog: "catalogs/c", catalogId: "M" } } as const,
      guestOs: GuestOs.MACOS,
      architecture: Architecture.ARM64,
      resources: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
    };
    await createClient(TemplateService, grpc(server)).createTemplate({ templateId: "t", template: { spec } });
    await vmsOf(server).createVm({ vmId: "a", requestId: "r", vm: { spec: { template: "templates/t" } } });
  };

  it("serves on the ports that it got, says which, and logs one line", async () => {
    const lines: string[] = [];
    const log = pino({}, new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) }));
    const server = await start({ log });
    assert.deepEqual(JSON.parse(await readFile(join(dataDir, "addresses.json"), "utf8")), server.addresses);
    const serving = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "serving");
    assert.equal(serving.length, 1);
    assert.equal(serving[0]?.grpc, server.addresses.grpc);
    await makeVm(server);
    const { status } = await createClient(Health, grpc(server)).check({ service: VmService.typeName });
    assert.equal(status, Serving.SERVING);
    const ready = await fetch(`http://${server.addresses.http}/readyz`);
    assert.equal(ready.status, 200);
    await ready.body?.cancel();
  });

  it("finds everything again after a restart, the requests that it answered too", async () => {
    const first = await start();
    await makeVm(first);
    const before = await vmsOf(first).getVm({ name: "vms/a" });
    await first.close();
    const second = await start();
    const after = await vmsOf(second).getVm({ name: "vms/a" });
    assert.equal(after.vm?.uid, before.vm?.uid);
    assert.equal(after.vm?.etag, before.vm?.etag);
    const again = await vmsOf(second).createVm({
      vmId: "a",
      requestId: "r",
      vm: { spec: { template: "templates/t" } },
    });
    assert.equal(again.vm?.uid, before.vm?.uid);
  });

  it("ends waits and watches when it closes, and then is gone; closing twice is harmless", async () => {
    const server = await start();
    await makeVm(server);
    const waiting = refused(vmsOf(server).waitVm({ name: "vms/a" }), "SERVER_NOT_SERVING");
    const stream = vmsOf(server).watchVms({})[Symbol.asyncIterator]();
    await stream.next();
    await stream.next();
    const watching = refused(stream.next(), "SERVER_NOT_SERVING");
    const health = createClient(Health, grpc(server)).watch({})[Symbol.asyncIterator]();
    assert.equal((await health.next()).value?.status, Serving.SERVING);
    const told = health.next();
    const startedMs = performance.now();
    await Promise.all([server.close(), server.close()]);
    await Promise.all([waiting, watching, server.closed]);
    assert.equal((await told).value?.status, Serving.NOT_SERVING);
    await assert.rejects(health.next());
    assert(performance.now() - startedMs < 4000, "closing took its whole bound");
    for (const address of Object.values(server.addresses)) await assert.rejects(dial(address), /ECONNREFUSED/);
  });

  it("ends, and says why, when one of its rules is broken", async () => {
    const broken = new AssertionFailed("what cannot be");
    const uid = (): never => {
      throw broken;
    };
    const server = await start();
    await makeVm(server);
    await server.close();
    const faulty = await start({ ids: { ...randomIds, uid } });
    await refused(vmsOf(faulty).createVm({ vm: { spec: { template: "templates/t" } } }), "INTERNAL_ERROR");
    await assert.rejects(faulty.closed, broken);
  });

  it("refuses to serve others than this machine when it is insecure", async () => {
    const open = { host: "0.0.0.0", port: 0 };
    for (const [field, fields] of Object.entries({
      listen: { listen: open },
      agent_listen: { agentListen: { host: "192.0.2.1", port: 0 } },
      http_listen: { httpListen: { host: "::", port: 0 } },
      port: { listen: { host: "127.0.0.1", port: 65_536 } },
    })) {
      await assert.rejects(start(fields), (error) => {
        assert(error instanceof MeridianError);
        assert.equal(error.reason, "FIELD_INVALID");
        assert.equal(error.options.metadata?.["field"], field === "port" ? "listen" : field);
        return true;
      });
    }
  });

  it("refuses a port that is taken, and leaves the data directory free", async () => {
    const first = await start();
    const port = Number(first.addresses.http.split(":")[1]);
    const other = await mkdtemp(join(tmpdir(), "meridian-server-"));
    try {
      for (const field of ["listen", "agentListen", "httpListen"] as const) {
        const call = startServer(optionsOf({ dataDir: other, [field]: { host: "127.0.0.1", port } }));
        await assert.rejects(call, (error) => error instanceof MeridianError && /cannot listen/.test(error.message));
      }
      await (await start({ dataDir: other })).close();
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it("refuses a data directory that another server has, or that is somebody else's", async () => {
    await start();
    await assert.rejects(start(), (error) => error instanceof StoreError && error.kind === "locked");
    const other = await mkdtemp(join(tmpdir(), "meridian-server-"));
    try {
      await writeFile(join(other, "thesis.txt"), "mine");
      await assert.rejects(
        start({ dataDir: other }),
        (error) => error instanceof StoreError && error.kind === "foreign",
      );
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });
});

function dial(address: string): Promise<void> {
  const [host = "", port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) }, () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}
