/** A server is started on what earlier versions left: their data directories, and backups that were made of them. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { restoreDataDirectory } from "../../server/restore.ts";
import { startServer } from "../../server/server.ts";
import { systemClock } from "../../shared/clock.ts";
import { HostService } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { TemplateService } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmStatus_State as State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { randomIds } from "../../shared/ids.ts";
import { silentLogger } from "../../shared/log.ts";
import { type KeptData, readKeptData } from "../support/records/kept-data.ts";
import { testKeyText } from "../support/secrets/test-secrets.ts";

for (const kept of await readKeptData()) {
  describe(`a server on data of version ${kept.version}`, () => {
    let scratch: string;
    beforeEach(async () => {
      scratch = await mkdtemp(join(tmpdir(), "meridian-older-"));
    });
    afterEach(() => rm(scratch, { recursive: true, force: true }));

    it("shows all that is in its directory, and keeps what is changed then", async () => {
      const dataDir = join(scratch, "data");
      await kept.copyDirectory(dataDir);
      await showsAll(kept, dataDir);
      await withServer(dataDir, async ({ vms }) => {
        const { vm } = await vms.getVm({ name: "vms/waiting" });
        assert.equal(vm?.spec?.labels["changed-by"], "a later version");
      });
    });

    it("shows all that is in its backup", async () => {
      const dataDir = join(scratch, "restored");
      await restoreDataDirectory({ file: kept.backup, dataDir, clock: systemClock });
      await showsAll(kept, dataDir);
    });
  });
}

async function showsAll(kept: KeptData, dataDir: string): Promise<void> {
  const keys = Object.keys(await kept.records());
  const names = (kind: string): readonly string[] =>
    keys
      .filter((key) => key.startsWith(`${kind}/`))
      .map((key) => key.replace("/", "s/"))
      .sort();
  await withServer(dataDir, async ({ hosts, vms, templates }) => {
    const shown = (await vms.listVms({ orderBy: "name", pageSize: 1000 })).vms;
    assert.deepEqual(shown.map(({ name }) => name).sort(), names("vm"));
    assert.deepEqual((await hosts.listHosts({})).hosts.map(({ name }) => name).sort(), names("host"));
    assert.deepEqual((await templates.listTemplates({})).templates.map(({ name }) => name).sort(), names("template"));
    const running = shown.find(({ name }) => name === "vms/running");
    assert.equal(running?.status?.state, State.RUNNING);
    assert.equal(running?.spec?.leaseDuration?.seconds, 21_600n);
    const labels = { "changed-by": "a later version" };
    await vms.updateVm({ vm: { name: "vms/waiting", spec: { labels } }, updateMask: { paths: ["spec.labels"] } });
  });
}

async function withServer(
  dataDir: string,
  use: (clients: ReturnType<typeof clientsOf>) => Promise<void>,
): Promise<void> {
  const loopback = { host: "127.0.0.1", port: 0 };
  const server = await startServer({
    dataDir,
    listen: loopback,
    agentListen: loopback,
    httpListen: loopback,
    insecure: true,
    secretsKeys: { environment: testKeyText },
    // The pool's time is then that of its newest record, so that nothing is over that was not over then.
    clock: { ...systemClock, wallMs: () => 0 },
    ids: randomIds,
    log: silentLogger,
    version: "1.2.3",
  });
  try {
    await use(clientsOf(server.addresses.grpc));
  } finally {
    await server.close();
  }
}

function clientsOf(address: string) {
  const transport = createGrpcTransport({ baseUrl: `http://${address}` });
  return {
    hosts: createClient(HostService, transport),
    vms: createClient(VmService, transport),
    templates: createClient(TemplateService, transport),
  };
}
