import assert from "node:assert/strict";
import type { HistoryEntry } from "../../../../../server/pool/history.ts";
import { EventService } from "../../../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { HostService } from "../../../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { defaultTemplate, vmCreate } from "../../../../support/pool/specs.ts";
import { ScriptedAdmission } from "../../../../support/server/scripted-admission.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

const spec = { project: "acme", template: `templates/${defaultTemplate}` };

describe("the audit of calls", () => {
  let api: ServedApi;
  let admission: ScriptedAdmission;
  beforeEach(async () => {
    admission = new ScriptedAdmission();
    admission.set("ci", [{ role: "user", project: "acme" }]);
    api = await ServedApi.open({ admission });
  });
  afterEach(() => api.close());

  const as = (token: string): { readonly headers: Record<string, string> } => ({
    headers: { authorization: `Bearer ${token}` },
  });

  function entries(): readonly HistoryEntry[] {
    return [...api.driver.view().history.pagesFrom(0)].flatMap((page) => page.entries);
  }

  function audited(): readonly HistoryEntry[] {
    return entries().filter(({ kind }) => kind === "audit");
  }

  /** Lets what is gathered be told. */
  async function later(ms = 1_000): Promise<void> {
    await api.driver.advance(ms);
    await api.driver.settle();
  }

  for (const front of fronts) {
    it(`stands in the batch of the change, before what follows from it, by ${front}`, async () => {
      await api.client(VmService, front).createVm({ vmId: "a", vm: { spec } }, as("ci"));
      const batch = api.driver.batches.find(({ changes }) =>
        changes.some(({ kind, id }) => kind === "vm" && id === "a"),
      );
      const page = batch?.changes.find((change) => change.kind === "history")?.after;
      assert(page !== undefined && "entries" in page);
      assert.deepEqual(
        page.entries.map(({ kind, action, resource }) => [kind, action, resource]),
        [
          ["audit", "CreateVm", "vms/a"],
          ["lifecycle", "vm.state", "vms/a"],
        ],
      );
      const { caller, project, resourceUid } = page.entries[0] ?? {};
      assert.deepEqual([caller?.principal, caller?.authentication], ["serviceAccounts/ci", "token"]);
      assert.match(caller?.address ?? "", /127\.0\.0\.1$/);
      assert.deepEqual([project, resourceUid], ["acme", api.driver.vm("a").uid]);
    });
  }

  it("tells of each VM of a batch, and of none that an earlier call had made", async () => {
    const requests = ["a", "b"].map((vmId) => ({ vmId, vm: { spec } }));
    const vms = api.client(VmService);
    for (let count = 0; count < 2; count += 1) await vms.batchCreateVms({ requests, requestId: "once" }, as("ci"));
    for (let count = 0; count < 2; count += 1) await vms.createVm({ vm: { spec }, requestId: "once" }, as("ci"));
    assert.deepEqual(
      audited().map(({ action }) => action),
      ["BatchCreateVms", "BatchCreateVms", "CreateVm"],
    );
  });

  it("tells of a lease that somebody else renews or changes, and not that its owner renews it", async () => {
    const vms = api.client(VmService);
    const leased = { ...spec, leaseDuration: { seconds: 600n } };
    await vms.createVm({ vmId: "a", vm: { spec: leased } }, as("ci"));
    await vms.renewVm({ name: "vms/a" }, as("ci"));
    assert.equal(audited().length, 1);
    await vms.renewVm({ name: "vms/a", leaseDuration: { seconds: 900n } }, as("ci"));
    assert.deepEqual(audited().at(-1)?.fields, ["lease_duration"]);
    admission.set("op", [{ role: "operator" }]);
    await vms.renewVm({ name: "vms/a" }, as("op"));
    assert.equal(audited().at(-1)?.caller?.principal, "serviceAccounts/op");
    assert.equal(audited().length, 3);
  });

  it("tells, soon after, of a call that was denied, and to whom belongs what it was about", async () => {
    await api.driver.submit({ ...vmCreate("hidden", { project: "secret" }), owner: "serviceAccounts/other" });
    const vms = api.client(VmService);
    await refused(vms.deleteVm({ name: "vms/hidden" }, as("ci")), "RESOURCE_NOT_FOUND");
    await refused(vms.createVm({ vmId: "x", vm: { spec: { ...spec, project: "other" } } }, as("ci")), "ROLE_MISSING");
    await refused(api.client(HostService).listHostVms({ name: "hosts/mac-1" }, as("ci")), "ROLE_MISSING");
    assert.deepEqual(audited(), []);
    await later();
    assert.deepEqual(
      audited().map(({ action, resource, project, code, reason }) => [action, resource, project, code, reason]),
      [
        ["DeleteVm", "vms/hidden", "secret", "NOT_FOUND", "RESOURCE_NOT_FOUND"],
        ["CreateVm", "vms/x", "other", "PERMISSION_DENIED", "ROLE_MISSING"],
        ["ListHostVms", "hosts/mac-1", undefined, "PERMISSION_DENIED", "ROLE_MISSING"],
      ],
    );
    const { events } = await api.client(EventService).listEvents({ filter: "kind = AUDIT" }, as("ci"));
    assert.deepEqual(events, [], "what belongs to other projects, or to none");
  });

  for (const front of fronts) {
    it(`tells of who could not prove who he is, by ${front}`, async () => {
      await refused(api.client(VmService, front).listVms({}), "CREDENTIALS_MISSING");
      for (let count = 0; count < 3; count += 1) {
        await refused(api.client(VmService, front).listVms({}, as("mst1.guess")), "CREDENTIALS_INVALID");
      }
      await later();
      assert.deepEqual(
        audited().map(({ action, code, reason, count }) => [action, code, reason, count]),
        [
          ["ListVms", "UNAUTHENTICATED", "CREDENTIALS_MISSING", undefined],
          ["ListVms", "UNAUTHENTICATED", "CREDENTIALS_INVALID", 3],
        ],
      );
      const { principal, authentication, address = "" } = audited()[0]?.caller ?? {};
      assert.deepEqual([principal, authentication], ["unknown", "failed"]);
      assert.match(address, /127\.0\.0\.1$/);
      assert.ok(!JSON.stringify(audited()).includes("guess"), "what was shown is nowhere");
    });
  }

  it("tells that a change failed, and why", async () => {
    await refused(
      api.client(VmService).createVm({ vm: { spec: { ...spec, template: "templates/none" } } }, as("ci")),
      "RESOURCE_NOT_FOUND",
    );
    await later();
    const [told] = audited();
    assert.deepEqual([told?.code, told?.reason, told?.resource], ["NOT_FOUND", "RESOURCE_NOT_FOUND", "templates/none"]);
  });

  it("tells of an order to a host before it leaves", async () => {
    admission.set("op", [{ role: "operator" }]);
    await api.driver.addHost("mac-1");
    await api.driver.create("a");
    await api.driver.settle();
    const seen: unknown[] = [];
    api.hostCalls.answer = () => {
      seen.push(...audited().map(({ action, resource, project }) => [action, resource, project]));
      return Promise.reject(new Error("the host is gone"));
    };
    const start = { payload: { case: "start" as const, value: { name: "vms/a", command: ["true"] } } };
    const call = api.client(VmService).execVm(once(start), as("op"))[Symbol.asyncIterator]();
    await assert.rejects(call.next());
    assert.deepEqual(seen, [["ExecVm", "vms/a", api.driver.vm("a").spec.project]]);
  });

  it("tells of few, however many are refused, and how many there were", async () => {
    for (let count = 0; count < 500; count += 1) {
      await refused(api.client(VmService).deleteVm({ name: `vms/none-${count}` }, as("ci")), "RESOURCE_NOT_FOUND");
    }
    await later();
    const first = audited();
    assert.ok(first.length <= 101, `${first.length} entries`);
    for (let round = 0; round < 10; round += 1) await later(60_000);
    const sum = audited().reduce((total, { count = 1 }) => total + count, 0);
    assert.equal(sum, 500);
    assert.ok(audited().length <= 112, `${audited().length} entries`);
    assert.match(audited().find(({ action }) => action === "")?.message ?? "", /more calls were refused/);
  });
});

async function* once<T>(request: T): AsyncGenerator<T> {
  yield request;
}
