/** A real server beside a catalog over HTTP: what is said there counts here, and its credentials come out nowhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Writable } from "node:stream";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { type RunningServer, startServer } from "../../../server/server.ts";
import { systemClock } from "../../../shared/clock.ts";
import { CatalogService } from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { EventService } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { TemplateStatus_State } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, Condition_State, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { randomIds } from "../../../shared/ids.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../contract/store/scratch-directory.ts";
import { storageSecret, TestCatalog } from "../../support/catalog/test-catalog.ts";
import { findInFiles } from "../../support/secrets/raw-files.ts";
import { until } from "../../unit/server/sessions/agent-client.ts";

const loopback = { host: "127.0.0.1", port: 0 };
const name = "templates/macos";

describe("a server that is paired with a Parallels catalog", () => {
  let scratch: ScratchDirectory;
  let catalog: TestCatalog;
  let server: RunningServer;
  /** Everything that was logged or answered. */
  let said: string[];

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    catalog = await TestCatalog.start();
    catalog.manifests = [
      { catalog_id: "MACOS-15", version: "v2" },
      { catalog_id: "MACOS-15", version: "v3", tags: ["latest"], required_roles: ["USER"], required_claims: ["PULL"] },
    ];
    said = [];
    server = await start();
    const credentials = { username: catalog.username, password: catalog.password };
    await heard(
      clients().catalogs.createCatalog({ catalogId: "main", catalog: { spec: { url: catalog.url, credentials } } }),
    );
    await heard(
      clients().templates.createTemplate({
        templateId: "macos",
        template: {
          spec: {
            source: { case: "catalog", value: { catalog: "catalogs/main", catalogId: "macos-15" } },
            guestOs: GuestOs.MACOS,
            architecture: Architecture.ARM64,
            resources: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
          },
        },
      }),
    );
  });
  afterEach(async () => {
    await server.close();
    await catalog.close();
    await scratch.remove();
  });

  function start(): Promise<RunningServer> {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said.push(chunk.toString());
        done();
      },
    });
    return startServer({
      dataDir: join(scratch.path, "data"),
      listen: loopback,
      agentListen: loopback,
      httpListen: loopback,
      insecure: true,
      clock: systemClock,
      ids: randomIds,
      // Without what redacts secrets by the names of their fields.
      log: pino({ level: "trace" }, stream),
      version: "1.2.3",
      catalogs: { periodMs: 20, timeoutMs: 5000, spacingMs: 5 },
    });
  }

  function clients() {
    const transport = createGrpcTransport({ baseUrl: `http://${server.addresses.grpc}` });
    return {
      catalogs: createClient(CatalogService, transport),
      events: createClient(EventService, transport),
      templates: createClient(TemplateService, transport),
      vms: createClient(VmService, transport),
    };
  }

  async function heard<T>(call: Promise<T>): Promise<T> {
    const answer = await call;
    said.push(JSON.stringify(answer, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)));
    return answer;
  }

  const template = async () => (await heard(clients().templates.getTemplate({ name }))).template;
  const status = async () => (await heard(clients().catalogs.getCatalog({ name: "catalogs/main" }))).catalog?.status;
  const isReachable = async (state: Condition_State): Promise<boolean> =>
    (await status())?.conditions.find(({ type }) => type === "Reachable")?.state === state;
  const untilState = (state: TemplateStatus_State) =>
    until(async () => (await template())?.status?.state === state, `the template to be in state ${state}`);
  const createVm = () => heard(clients().vms.createVm({ vm: { spec: { template: name } } }));

  function say(fields: Partial<(typeof catalog.manifests)[number]>): void {
    catalog.manifests = catalog.manifests.map((one) => (one.version === "v3" ? { ...one, ...fields } : one));
  }

  it("knows what the latest version is, and what is needed for it there", async () => {
    await until(async () => (await template())?.status?.manifest !== undefined, "the manifest");
    const manifest = (await template())?.status?.manifest;
    assert.deepEqual(
      [manifest?.version, manifest?.latest, manifest?.requiredRoles, manifest?.requiredClaims],
      ["v3", true, ["USER"], ["PULL"]],
    );
    assert.equal((await createVm()).vm?.status?.templateVersion, "v3");
    assert.deepEqual(
      (await status())?.manifests.map(({ version }) => version),
      ["v2", "v3"],
    );
  });

  it("follows when the manifest is tainted there, revoked, and good again, also over a restart", async () => {
    const { vm } = await createVm();
    say({ tainted: true, tainted_by: "ada" });
    await untilState(TemplateStatus_State.TAINTED);
    assert.equal((await template())?.status?.reason, "catalogs/main says that MACOS-15 v3 was tainted by ada");
    say({ revoked: true, revoked_by: "ada" });
    await untilState(TemplateStatus_State.REVOKED);
    const waiting = (await heard(clients().vms.getVm({ name: vm?.name ?? "" }))).vm;
    assert.equal(waiting?.status?.state, VmStatus_State.FAILED);
    await assert.rejects(createVm(), /is revoked/);
    await server.close();
    say({ revoked: false, tainted: false });
    server = await start();
    await untilState(TemplateStatus_State.ACTIVE);
    await createVm();
    const { events } = await heard(clients().events.listEvents({ filter: 'caller.authentication = "catalog"' }));
    assert.deepEqual(
      events.map(({ action, caller }) => [action, caller?.principal]),
      ["TaintTemplate", "RevokeTemplate", "RestoreTemplate"].map((action) => [action, "catalogs/main"]),
    );
  });

  it("goes on with what it knew while the catalog cannot be read, and says so", async () => {
    await until(() => isReachable(Condition_State.TRUE), "the catalog to be read");
    say({ revoked: true });
    await untilState(TemplateStatus_State.REVOKED);
    catalog.trouble = { status: 500, body: `${catalog.password} ${catalog.apiKey}` };
    await until(() => isReachable(Condition_State.FALSE), "the catalog to be out of reach");
    assert.equal((await template())?.status?.state, TemplateStatus_State.REVOKED);
    assert.equal((await status())?.manifests.length, 2);
    catalog.trouble = undefined;
    await until(() => isReachable(Condition_State.TRUE), "the catalog to be back");
  });

  it("shows the catalog's credentials, and those of its storage, to nobody, and writes them down nowhere", async () => {
    await until(() => isReachable(Condition_State.TRUE), "the catalog to be read");
    const update = {
      catalog: { name: "catalogs/main", spec: { credentials: { username: "ci", password: "wrong-h2Lw5Rk" } } },
      updateMask: { paths: ["spec.credentials"] },
    };
    await heard(clients().catalogs.updateCatalog(update));
    await until(() => isReachable(Condition_State.FALSE), "the login to be refused");
    await heard(clients().catalogs.listCatalogs({}));
    await heard(clients().templates.listTemplates({}));
    await heard(clients().events.listEvents({}));
    await server.close();
    const secrets = [catalog.password, "wrong-h2Lw5Rk", "catalog-token-p3Xm8", storageSecret];
    const all = said.join("\n");
    assert.match(all, /LoginRefused/);
    for (const secret of secrets) assert.ok(!all.includes(secret), secret);
    assert.deepEqual(await findInFiles(join(scratch.path, "data"), secrets), []);
  });
});
