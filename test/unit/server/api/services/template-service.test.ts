import assert from "node:assert/strict";
import { CatalogService } from "../../../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { Role } from "../../../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { type ImagePurge, TemplateStatus_State } from "../../../../../shared/gen/es/meridian/v1/template_pb.ts";
import { TemplateService } from "../../../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import {
  Architecture,
  Condition_State,
  GuestOs,
  WatchEventType,
} from "../../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { asCatalogId } from "../../../../../shared/ids.ts";
import { wholeInventory } from "../../../../support/pool/hosts.ts";
import { failForGood, hold, refuse, succeed } from "../../../../support/pool/scripted-host.ts";
import { openTestCredentials } from "../../../../support/secrets/test-secrets.ts";
import { fronts, refused, ServedApi, take } from "../../../../support/server/served-api.ts";

const spec = {
  source: { case: "catalog", value: { catalog: "catalogs/main", catalogId: "MACOS-15" } },
  guestOs: GuestOs.MACOS,
  architecture: Architecture.ARM64,
  resources: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
} as const;
const credentials = { username: "builder", password: "s3cret-words" };

describe("TemplateService and CatalogService", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
    await api
      .client(CatalogService)
      .createCatalog({ catalogId: "main", catalog: { spec: { url: "https://c.example.com", credentials } } });
  });
  afterEach(() => api.close());

  const templates = (): ReturnType<typeof api.client<typeof TemplateService>> => api.client(TemplateService);
  const catalogs = (): ReturnType<typeof api.client<typeof CatalogService>> => api.client(CatalogService);

  it("make, show, list, change, watch and delete templates", async () => {
    const { template: made } = await templates().createTemplate({ templateId: "macos", template: { spec } });
    assert.equal(made?.name, "templates/macos");
    assert.deepEqual(made.spec?.source.case === "catalog" && made.spec.source.value.version, "latest");
    assert.deepEqual(made.spec?.readiness?.probe, { case: "guestTools", value: true });
    const { templates: listed } = await templates().listTemplates({ filter: "spec.guest_os = MACOS" });
    assert.deepEqual(
      listed.map(({ name }) => name),
      ["templates/macos"],
    );
    const update = { template: { name: "templates/macos", spec: { description: "Sequoia" } } };
    const { template: changed } = await templates().updateTemplate(update);
    assert.equal(changed?.spec?.description, "Sequoia");
    assert.equal(changed.spec.resources?.cpuCount, 4);
    const events = await take(templates().watchTemplates({}), 3);
    assert.equal(events[2]?.type, WatchEventType.BOOKMARK);
    await templates().deleteTemplate({ name: "templates/macos" });
    await refused(templates().getTemplate({ name: "templates/macos" }), "RESOURCE_NOT_FOUND");
  });

  it("taint, revoke and restore templates, and say who did it and why", async () => {
    const name = "templates/macos";
    await templates().createTemplate({ templateId: "macos", template: { spec } });
    const vms = api.client(VmService);
    const { vm: waiting } = await vms.createVm({ vm: { spec: { template: name } } });
    const { template: tainted } = await templates().taintTemplate({ name, reason: "old" });
    assert.deepEqual(
      [tainted?.status?.state, tainted?.status?.reason, tainted?.status?.changedBy],
      [TemplateStatus_State.TAINTED, "old", "insecure"],
    );
    const { vm: warned } = await vms.createVm({ vm: { spec: { template: name } } });
    const condition = warned?.status?.conditions.find(({ type }) => type === "TemplateTrusted");
    assert.equal(condition?.state, Condition_State.FALSE);
    assert.match(condition.message, /templates\/macos was tainted.*: old/);
    const { template: revoked } = await templates().revokeTemplate({ name, reason: "leaked", stopRunning: true });
    assert.equal(revoked?.status?.state, TemplateStatus_State.REVOKED);
    assert.equal(revoked.status.stopsRunning, true);
    assert.ok(revoked.status.stateTime !== undefined);
    const { vm: failed } = await vms.getVm({ name: waiting?.name ?? "" });
    assert.equal(failed?.status?.state, VmStatus_State.FAILED);
    assert.equal(failed.status.failure?.reason, "TemplateRevoked");
    for (const front of fronts) {
      const again = api.client(VmService, front);
      await refused(again.createVm({ vm: { spec: { template: name } } }), "TEMPLATE_REVOKED");
      await refused(again.planVm({ spec: { template: name } }), "TEMPLATE_REVOKED");
    }
    const { template: restored } = await templates().restoreTemplate({ name });
    assert.equal(restored?.status?.state, TemplateStatus_State.ACTIVE);
    await vms.createVm({ vm: { spec: { template: name } } });
  });

  it("say how far the hosts are with the removal of a revoked template's images", async () => {
    const name = "templates/macos";
    const images = [{ catalogId: "MACOS-15", version: "v3", architecture: "arm64", sizeMib: 1 }];
    const [away, failing] = [
      await api.driver.addHost("away", { inventory: wholeInventory(undefined, { images }) }),
      await api.driver.addHost("failing", { inventory: wholeInventory(undefined, { images }) }),
    ];
    await api.driver.addHost("swift", { inventory: wholeInventory(undefined, { images }) });
    await api.driver.addHost("without");
    await away.disconnect();
    failing.onPurge = refuse;
    const purge = async (): Promise<ImagePurge | undefined> =>
      (await templates().getTemplate({ name })).template?.status?.purge;
    await templates().createTemplate({ templateId: "macos", template: { spec } });
    assert.equal(await purge(), undefined);
    const { template } = await templates().revokeTemplate({ name, reason: "leaked", purgeImages: true });
    assert.equal(template?.status?.purge?.image, "MACOS-15 latest");
    await api.driver.settle();
    const under = await purge();
    assert.deepEqual([under?.purgedHosts, under?.pendingHosts, under?.done], [["hosts/swift"], ["hosts/away"], false]);
    const { failedHosts = [] } = under ?? {};
    const [failure] = failedHosts;
    assert.deepEqual(
      [failedHosts.length, failure?.host, failure?.reason, failure?.message],
      [1, "hosts/failing", "NoPurge", "it does not work"],
    );
    assert.ok((failure?.retryTime?.seconds ?? 0n) >= (failure?.time?.seconds ?? 1n));
    await templates().createTemplate({ templateId: "twin", template: { spec } });
    const kept = await purge();
    assert.deepEqual([kept?.keptFor, kept?.failedHosts, kept?.pendingHosts], [["templates/twin"], [], []]);
    await templates().deleteTemplate({ name: "templates/twin" });
    await api.driver.connect(away);
    failing.onPurge = succeed;
    await api.driver.advance(10_000);
    const over = await purge();
    assert.deepEqual([over?.purgedHosts.length, over?.done, over?.keptFor], [2, true, []]);
    await templates().restoreTemplate({ name });
    assert.equal(await purge(), undefined);
  });

  it("have hosts pull a template's image ahead, and say how far they are", async () => {
    const name = "templates/macos";
    await templates().createTemplate({ templateId: "macos", template: { spec } });
    const hosts = await Promise.all(["pulls", "fails", "away"].map((id) => api.driver.addHost(id)));
    const [pulls, fails, away] = hosts;
    assert.ok(pulls !== undefined && fails !== undefined && away !== undefined);
    pulls.onPrefetch = hold;
    fails.onPrefetch = failForGood;
    await away.disconnect();
    const { template: asked } = await templates().prefetchTemplate({ name });
    assert.ok(asked?.status?.prefetch !== undefined);
    await api.driver.settle();
    const { commandId } = api.driver.view().hosts.get(pulls.id)?.prefetches?.[0] ?? assert.fail();
    const progress = { step: "download", percent: 37, etaMs: 0, message: "" };
    await pulls.report({ id: commandId ?? assert.fail() }, "RUNNING", { progress });
    const status = async () => (await templates().getTemplate({ name })).template?.status;
    const { waitingHosts, pullingHosts, failedHosts } = (await status())?.prefetch ?? assert.fail();
    assert.deepEqual(waitingHosts, ["hosts/away"]);
    assert.deepEqual([pullingHosts[0]?.host, pullingHosts[0]?.percent], ["hosts/pulls", 37]);
    const [failure] = failedHosts;
    assert.deepEqual([failure?.host, failure?.reason, failure?.retryTime], ["hosts/fails", "NoPull", undefined]);
    await refused(templates().prefetchTemplate({ name, hosts: ["hosts/absent"] }), "RESOURCE_NOT_FOUND");
    await refused(templates().prefetchTemplate({ name, hosts: ["vms/a"] }), "FIELD_INVALID");
    await refused(templates().prefetchTemplate({ name, hosts: Array(1001).fill("hosts/away") }), "FIELD_INVALID");
    await templates().revokeTemplate({ name, reason: "leaked" });
    assert.equal((await status())?.prefetch, undefined);
  });

  it("refuse to judge without a reason, or by a stale etag, or what is not there", async () => {
    const name = "templates/macos";
    await templates().createTemplate({ templateId: "macos", template: { spec } });
    await refused(templates().taintTemplate({ name }), "FIELD_INVALID");
    await refused(templates().revokeTemplate({ name, reason: "x".repeat(1025) }), "FIELD_INVALID");
    await refused(templates().revokeTemplate({ name, reason: "x", etag: '"stale"' }), "ETAG_MISMATCH");
    await refused(templates().restoreTemplate({ name: "templates/absent" }), "RESOURCE_NOT_FOUND");
    await refused(templates().revokeTemplate({ name: "vms/a", reason: "x" }), "FIELD_INVALID");
  });

  it("keep a template to projects and roles", async () => {
    const access = { projects: ["ios"], roles: [Role.OPERATOR] };
    const { template } = await templates().createTemplate({
      templateId: "macos",
      template: { spec: { ...spec, access } },
    });
    assert.deepEqual(template?.spec?.access?.projects, ["ios"]);
    assert.deepEqual(template.spec.access.roles, [Role.OPERATOR]);
    const vms = api.client(VmService);
    await refused(vms.createVm({ vm: { spec: { template: "templates/macos" } } }), "TEMPLATE_NOT_ALLOWED");
    await refused(vms.planVm({ spec: { template: "templates/macos" } }), "TEMPLATE_NOT_ALLOWED");
    const batch = { requests: [{ vm: { spec: { template: "templates/macos" } } }] };
    await refused(vms.batchCreateVms(batch), "TEMPLATE_NOT_ALLOWED");
    // Without authentication everybody is an admin, who has every role.
    await vms.createVm({ vm: { spec: { template: "templates/macos", project: "ios" } } });
    const unknown = { projects: [""], roles: [99 as Role] };
    const update = { template: { name: "templates/macos", spec: { access: unknown } } };
    await refused(templates().updateTemplate(update), "FIELD_INVALID");
    const open = {
      template: { name: "templates/macos", spec: { access: {} } },
      updateMask: { paths: ["spec.access"] },
    };
    assert.equal((await templates().updateTemplate(open)).template?.spec?.access, undefined);
    await vms.createVm({ vm: { spec: { template: "templates/macos" } } });
  });

  it("exchange a template's source as a whole", async () => {
    await templates().createTemplate({ templateId: "macos", template: { spec } });
    const source = { case: "hostVm", value: { vmName: "golden" } } as const;
    const { template } = await templates().updateTemplate({ template: { name: "templates/macos", spec: { source } } });
    assert.equal(template?.spec?.source.case, "hostVm");
  });

  it("refuse names that are taken, catalogs that are absent or used, and templates that are waited for", async () => {
    await templates().createTemplate({ templateId: "macos", template: { spec } });
    await refused(templates().createTemplate({ templateId: "macos", template: { spec } }), "RESOURCE_EXISTS");
    const elsewhere = { case: "catalog", value: { catalog: "catalogs/absent", catalogId: "M" } } as const;
    await refused(
      templates().createTemplate({ template: { spec: { ...spec, source: elsewhere } } }),
      "RESOURCE_NOT_FOUND",
    );
    await refused(catalogs().deleteCatalog({ name: "catalogs/main" }), "RESOURCE_IN_USE");
    await api.client(VmService).createVm({ vm: { spec: { template: "templates/macos" } } });
    await refused(templates().deleteTemplate({ name: "templates/macos" }), "RESOURCE_IN_USE");
    await refused(templates().deleteTemplate({ name: "templates/macos", etag: '"stale"' }), "ETAG_MISMATCH");
    const update = { template: { name: "templates/macos", etag: '"stale"', spec: { description: "x" } } };
    await refused(templates().updateTemplate(update), "ETAG_MISMATCH");
  });

  it("answer a repeated create with what it made", async () => {
    const request = { requestId: "r", template: { spec } };
    const first = await templates().createTemplate(request);
    assert.equal((await templates().createTemplate(request)).template?.uid, first.template?.uid);
    const catalog = { requestId: "r", catalog: { spec: { url: "https://d.example.com" } } };
    const made = await catalogs().createCatalog(catalog);
    assert.equal((await catalogs().createCatalog(catalog)).catalog?.uid, made.catalog?.uid);
    const other = { ...catalog, catalog: { spec: { url: "https://e.example.com" } } };
    await refused(catalogs().createCatalog(other), "REQUEST_ID_REUSED");
  });

  for (const front of fronts) {
    it(`never give credentials away, by ${front}`, async () => {
      const client = api.client(CatalogService, front);
      const name = "catalogs/main";
      const answers = [
        await client.getCatalog({ name }),
        await client.listCatalogs({}),
        await client.updateCatalog({ catalog: { name, spec: { description: "x" } } }),
        await client.createCatalog({ catalog: { spec: { url: "https://x.example.com", credentials } } }),
      ];
      const text = JSON.stringify(answers, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      assert(!text.includes(credentials.password) && !text.includes(credentials.username));
      assert(text.includes('"hasCredentials":true'));
    });
  }

  it("keep credentials that an update does not name, and change or remove them when it does", async () => {
    const name = "catalogs/main";
    const stored = (): unknown => {
      const catalog = api.driver.view().catalogs.get(asCatalogId("main"));
      assert.notEqual(catalog?.spec.credentials?.kind, "plain");
      return catalog && openTestCredentials(catalog);
    };
    await catalogs().updateCatalog({ catalog: { name, spec: { url: "https://new.example.com" } } });
    assert.deepEqual(stored(), { ...credentials, apiKey: "" });
    const updateMask = { paths: ["spec.credentials.password"] };
    await catalogs().updateCatalog({ catalog: { name, spec: { credentials: { password: "other" } } }, updateMask });
    assert.deepEqual(stored(), { username: "builder", password: "other", apiKey: "" });
    await catalogs().updateCatalog({ catalog: { name, spec: {} }, updateMask: { paths: ["spec.credentials"] } });
    assert.equal(stored(), undefined);
    const call = catalogs().updateCatalog({
      catalog: { name, spec: {} },
      updateMask: { paths: ["spec.has_credentials"] },
    });
    await refused(call, "EXPRESSION_INVALID");
  });

  it("keep wrong credentials out of messages", async () => {
    const bad = { username: "user", password: "top;secret" };
    const call = catalogs().createCatalog({ catalog: { spec: { url: "https://x.example.com", credentials: bad } } });
    assert(!(await refused(call, "FIELD_INVALID")).message.includes("secret"));
  });

  it("delete a catalog that nothing uses", async () => {
    await catalogs().deleteCatalog({ name: "catalogs/main" });
    await refused(catalogs().getCatalog({ name: "catalogs/main" }), "RESOURCE_NOT_FOUND");
    await refused(
      catalogs().updateCatalog({ catalog: { name: "catalogs/main", spec: { url: "https://x" } } }),
      "RESOURCE_NOT_FOUND",
    );
  });
});
