import assert from "node:assert/strict";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { MeridianError } from "../../../../../shared/errors.ts";
import {
  HostDrain_Then,
  HostQuarantine_Phase,
  HostStatus_State,
} from "../../../../../shared/gen/es/meridian/v1/host_pb.ts";
import {
  ControlHostVmRequest_Action as Action,
  HostService,
} from "../../../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../../../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { TemplateService } from "../../../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Condition_State } from "../../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmFailure_Suspect } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { hostVmName } from "../../../../../shared/ids.ts";
import {
  changedInventory,
  goldenVm,
  hostFacts,
  hostUse,
  hostVm,
  wholeInventory,
} from "../../../../support/pool/hosts.ts";
import { failForGood } from "../../../../support/pool/scripted-host.ts";
import { uidFor, vmCreate } from "../../../../support/pool/specs.ts";
import { refused, ServedApi } from "../../../../support/server/served-api.ts";

describe("HostService", () => {
  const name = "hosts/mac-1";
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
    const foreign = hostVm("by-hand", { state: "running" });
    const host = await api.driver.addHost("mac-1", {
      inventory: wholeInventory([goldenVm(), foreign, hostVm("twin")]),
    });
    await host.tellInventory(changedInventory([{ ...hostVm("twin"), id: "{other}" }]));
  });
  afterEach(() => api.close());

  const hosts = (): ReturnType<typeof api.client<typeof HostService>> => api.client(HostService);

  it("shows a host with what it has, what is taken, and its conditions", async () => {
    await api.driver.submit(vmCreate("a"));
    const { host } = await hosts().getHost({ name });
    assert.equal(host?.status?.state, HostStatus_State.READY);
    assert.equal(host.status.placeable, true);
    assert.equal(host.status.chip, "Apple M4 Pro");
    assert.equal(host.status.capacity?.cpuCount, 12);
    assert.equal(host.status.allocated?.cpuCount, 4);
    assert.equal(host.status.vmCount, 1);
    assert.equal(host.status.macosSlots, 2);
    assert.deepEqual(host.status.templates, ["templates/linux"]);
    assert.equal(host.spec?.limits?.parallelCreates, 4);
    assert.deepEqual(
      host.status.conditions.map(({ type, state }) => [type, state]),
      [
        ["Connected", Condition_State.TRUE],
        ["Schedulable", Condition_State.TRUE],
        ["LicenceValid", Condition_State.TRUE],
      ],
    );
  });

  it("names what is wrong with a host on which nothing can be placed", async () => {
    const failed = { type: "LicenceValid", holds: false, reason: "Expired", message: "the licence has expired" };
    await api.driver.addHost("mac-2", { use: hostUse({ conditions: [failed] }) });
    const { host } = await hosts().getHost({ name: "hosts/mac-2" });
    assert.equal(host?.status?.placeable, false);
    const condition = host.status.conditions.find(({ type }) => type === "LicenceValid");
    assert.deepEqual([condition?.state, condition?.reason], [Condition_State.FALSE, "Expired"]);
  });

  it("names what it removes on a host because nobody owns it, which keeps nothing from being placed there", async () => {
    const orphan = hostVmName(uidFor("nobody"), 1);
    await api.driver.addHost("mac-2", { inventory: wholeInventory([goldenVm(), hostVm(orphan)]) });
    const { host } = await hosts().getHost({ name: "hosts/mac-2" });
    const condition = host?.status?.conditions.find(({ type }) => type === "NoOrphans");
    assert.deepEqual([condition?.state, condition?.reason], [Condition_State.FALSE, "OrphansFound"]);
    assert.match(condition?.message ?? "", new RegExp(`${orphan} at \\d{4}-`));
    assert.equal(host?.status?.placeable, true);
  });

  it("places nothing on a host whose session has ended, and does not yet call it gone", async () => {
    const host = await api.driver.addHost("mac-2");
    await host.disconnect();
    const { host: shown } = await hosts().getHost({ name: "hosts/mac-2" });
    assert.deepEqual([shown?.status?.state, shown?.status?.placeable], [HostStatus_State.READY, false]);
    const connected = shown?.status?.conditions.find(({ type }) => type === "Connected");
    assert.deepEqual([connected?.state, connected?.reason], [Condition_State.UNKNOWN, "Reconnecting"]);
  });

  it("cordons, drains and uncordons", async () => {
    const { host: cordoned } = await hosts().cordonHost({ name });
    assert.equal(cordoned?.spec?.schedulable, false);
    assert.equal(cordoned.status?.placeable, false);
    // oxlint-disable-next-line unicorn/no-thenable -- the protocol's word for what comes then; no function.
    const drain = { name, deadline: { seconds: 60n }, reason: "maintenance", then: HostDrain_Then.UNCORDON };
    await hosts().uncordonHost({ name });
    await api.driver.submit(vmCreate("a"));
    const { host: draining } = await hosts().drainHost(drain);
    assert.equal(draining?.spec?.drain?.reason, "maintenance");
    assert.equal(draining.spec.drain.then, HostDrain_Then.UNCORDON);
    assert.deepEqual([draining.status?.drain?.vmsRemaining, draining.status?.drain?.vmsAtStart], [1, 1]);
    assert.notEqual(draining.status?.drain?.deadline, undefined);
    const drained = draining.status?.conditions.find(({ type }) => type === "Drained");
    assert.deepEqual([drained?.state, drained?.reason], [Condition_State.FALSE, "VmsRemain"]);
    const { host: open } = await hosts().uncordonHost({ name });
    assert.deepEqual([open?.spec?.schedulable, open?.spec?.drain], [true, undefined]);
    assert.equal(open?.status?.placeable, true);
  });

  it("changes labels and limits, and leaves the rest", async () => {
    const { host } = await hosts().updateHost({ host: { name, spec: { labels: { rack: "3" } } } });
    assert.deepEqual(host?.spec?.labels, { rack: "3" });
    assert.equal(host.spec.limits?.macosSlots, 2);
    const updateMask = { paths: ["spec.limits.macos_slots"] };
    const { host: after } = await hosts().updateHost({
      host: { name, spec: { limits: { macosSlots: 1 } } },
      updateMask,
    });
    assert.equal(after?.spec?.limits?.macosSlots, 1);
    assert.equal(after.spec.limits.cpuOvercommit, 1);
    assert.deepEqual(after.spec.labels, { rack: "3" });
  });

  it("tells of a mask that makes no sense before a spec that is absent", async () => {
    for (const path of ["status.state", "spec.none", "spec.limits.none"]) {
      const refusal = await refused(
        hosts().updateHost({ host: { name }, updateMask: { paths: [path] } }),
        "EXPRESSION_INVALID",
      );
      assert.equal(refusal.metadata["path"], path);
    }
    const updateMask = { paths: ["spec.labels"] };
    const refusal = await refused(hosts().updateHost({ host: { name }, updateMask }), "FIELD_INVALID");
    assert.deepEqual(refusal.fields, ["host.spec"]);
  });

  it("refuses stale etags, and hosts that do not exist", async () => {
    const { host } = await hosts().getHost({ name });
    const etag = host?.etag ?? "";
    await hosts().cordonHost({ name, etag });
    await refused(hosts().uncordonHost({ name, etag }), "ETAG_MISMATCH");
    await refused(hosts().drainHost({ name, etag }), "ETAG_MISMATCH");
    await refused(hosts().updateHost({ host: { name, etag, spec: { schedulable: true } } }), "ETAG_MISMATCH");
    await refused(hosts().deleteHost({ name, etag, force: true }), "ETAG_MISMATCH");
    const absent = { name: "hosts/absent" };
    for (const call of [
      hosts().getHost(absent),
      hosts().cordonHost(absent),
      hosts().uncordonHost(absent),
      hosts().drainHost(absent),
      hosts().deleteHost(absent),
      hosts().listHostVms(absent),
      hosts().controlHostVm({ ...absent, hostVm: "x", action: Action.START }),
      hosts().updateHost({ host: { ...absent, spec: { schedulable: true } } }),
    ]) {
      assert.equal((await refused(call, "RESOURCE_NOT_FOUND")).code, Code.NotFound);
    }
  });

  it("forgets a host that is away, and no other unless it is forced to", async () => {
    await refused(hosts().deleteHost({ name }), "STATE_NOT_ALLOWED");
    await hosts().deleteHost({ name, force: true });
    await refused(hosts().getHost({ name }), "RESOURCE_NOT_FOUND");
  });

  it("shows the VMs on a host, the pool's and those of others", async () => {
    await api.driver.submit(vmCreate("a"));
    const { vms, reportTime } = await hosts().listHostVms({ name });
    assert(reportTime !== undefined);
    const shown = vms.map((vm) => [vm.displayName, vm.state, vm.vm]);
    const own = [api.driver.hostName("a"), "running", "vms/a"];
    assert.deepEqual(shown, [
      ["by-hand", "running", ""],
      ["golden-linux", "stopped", ""],
      own,
      ["twin", "stopped", ""],
      ["twin", "stopped", ""],
    ]);
  });

  it("steers VMs of others, by id or by name, and waits for the end", async () => {
    const after = hostVm("by-hand", { state: "stopped" });
    api.hostCalls.answer = async () => ({ vm: after });
    const request = { name, hostVm: "by-hand", action: Action.STOP, force: true, timeout: { seconds: 30n } };
    const { vm } = await hosts().controlHostVm(request);
    assert.equal(vm?.state, "stopped");
    const [received] = api.hostCalls.received;
    assert.deepEqual(received?.call, { kind: "stop", hostVmId: "{by-hand}", force: true });
    assert.equal(received.timeoutMs, 30_000);
    api.hostCalls.answer = async () => ({});
    const deleted = await hosts().controlHostVm({ name, hostVm: "{by-hand}", action: Action.DELETE });
    assert.equal(deleted.vm?.displayName, "by-hand");
  });

  it("refuses to steer the pool's own VMs, unknown ones and ambiguous names", async () => {
    await api.driver.submit(vmCreate("a"));
    const control = (hostVm: string): Promise<unknown> => hosts().controlHostVm({ name, hostVm, action: Action.STOP });
    const refusal = await refused(control(api.driver.hostName("a")), "STATE_NOT_ALLOWED");
    assert.equal(refusal.metadata["vm"], "vms/a");
    await refused(control(api.driver.vm("a").sight?.id ?? ""), "STATE_NOT_ALLOWED");
    await refused(control("nobody"), "RESOURCE_NOT_FOUND");
    assert.deepEqual((await refused(control("twin"), "FIELD_INVALID")).fields, ["host_vm"]);
    assert.deepEqual(api.hostCalls.received, []);
  });

  for (const [reason, code] of [
    ["HOST_AWAY", Code.Unavailable],
    ["HOST_TIMED_OUT", Code.DeadlineExceeded],
    ["HOST_COMMAND_FAILED", Code.FailedPrecondition],
  ] as const) {
    it(`hands on ${reason}`, async () => {
      api.hostCalls.answer = () => Promise.reject(new MeridianError(reason, "so it was"));
      const call = hosts().controlHostVm({ name, hostVm: "by-hand", action: Action.START });
      assert.equal((await refused(call, reason)).code, code);
    });
  }
});

describe("PoolService", () => {
  it("GetPool adds up more disk than a host can have", async () => {
    const api = await ServedApi.open();
    try {
      const total = { cpuCount: 12, memoryMib: 65_536, diskMib: 3_000_000_000 };
      await api.driver.addHost("mac-1", { facts: hostFacts({ total }) });
      await api.driver.addHost("mac-2", { facts: hostFacts({ total }) });
      const { pool } = await api.client(PoolService).getPool({});
      assert.ok((pool?.totals[0]?.capacity?.diskMib ?? 0n) > 2n ** 32n);
    } finally {
      await api.close();
    }
  });

  it("adds up hosts, VMs and the queue", async () => {
    const api = await ServedApi.open();
    try {
      await api.driver.addHost("mac-1");
      await api.driver.addHost("mac-2");
      await api.client(HostService).cordonHost({ name: "hosts/mac-2" });
      await api.driver.submit(vmCreate("a"));
      await api.driver.submit(vmCreate("b", { resources: { cpuCount: 100, memoryMib: 0, diskMib: 0 } }));
      const { pool } = await api.client(PoolService).getPool({});
      const [totals] = pool?.totals ?? [];
      assert.deepEqual([totals?.hosts, totals?.hostsReady, totals?.hostsPlaceable], [2, 2, 1]);
      assert.deepEqual([totals?.capacity?.cpuCount, totals?.allocated?.cpuCount], [12n, 2n]);
      assert.equal(pool?.queueLength, 1);
      assert(pool.oldestPendingTime !== undefined);
      assert.equal(pool.vmStates.length, 2);
      assert.equal(pool.version, "1.2.3");
      assert.equal(pool.revision, BigInt(api.driver.view().revision));
    } finally {
      await api.close();
    }
  });
});

describe("a host in quarantine", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
    const bad = await api.driver.addHost("mac-1");
    await api.driver.addHost("mac-2");
    bad.always("create", failForGood);
    for (const name of ["a", "b", "c"]) {
      await api.driver.create(name, { placement: { host: bad.id } });
    }
  });
  afterEach(() => api.close());

  const name = "hosts/mac-1";

  it("is shown with why, since when and until when, and takes no VM", async () => {
    const { host } = await api.client(HostService).getHost({ name });
    const { status } = host ?? {};
    assert.equal(status?.placeable, false);
    assert.equal(status.quarantine?.phase, HostQuarantine_Phase.ISOLATED);
    assert.equal(status.quarantine.round, 1);
    assert.equal(status.quarantine.hasProbe, false);
    assert.equal(status.recentFailures, 3);
    assert.equal(status.quarantineCount, 1);
    const { since, until } = status.quarantine;
    assert.equal(until !== undefined && since !== undefined && timestampMs(until) - timestampMs(since), 600_000);
    const condition = status.conditions.find(({ type }) => type === "Quarantined");
    assert.deepEqual([condition?.state, condition?.reason], [Condition_State.TRUE, "Isolated"]);
    assert.match(condition?.message ?? "", /until \d{4}-.*3 VMs could not be made/);
  });

  it("is released, whoever cordoned it", async () => {
    const { host: cordoned } = await api.client(HostService).cordonHost({ name });
    await refused(api.client(HostService).releaseHost({ name, etag: '"old"' }), "ETAG_MISMATCH");
    await refused(api.client(HostService).releaseHost({ name: "hosts/absent" }), "RESOURCE_NOT_FOUND");
    const { host } = await api.client(HostService).releaseHost({ name, etag: cordoned?.etag ?? "" });
    const { quarantine, recentFailures, quarantineCount } = host?.status ?? {};
    assert.deepEqual([quarantine, recentFailures, quarantineCount], [undefined, 0, 1]);
    assert.equal(host?.spec?.schedulable, false);
  });

  it("and a template that fails on several are told of by the template", async () => {
    for (const id of ["mac-3", "mac-4"]) {
      const other = await api.driver.addHost(id);
      other.always("create", failForGood);
      await api.driver.create(`on-${id}`, { placement: { host: other.id } });
    }
    const { template } = await api.client(TemplateService).getTemplate({ name: "templates/linux" });
    const healthy = template?.status?.conditions.find(({ type }) => type === "Healthy");
    assert.deepEqual([healthy?.state, healthy?.reason], [Condition_State.FALSE, "FailsOnSeveralHosts"]);
    assert.deepEqual(template?.status?.failures?.hosts, ["hosts/mac-1", "hosts/mac-3", "hosts/mac-4"]);
    assert.equal(template.status.failures.failureRate, 1);
    const { vm } = await api.client(VmService).getVm({ name: "vms/on-mac-4" });
    assert.equal(vm?.status?.failure?.suspect, VmFailure_Suspect.TEMPLATE);
    const { host } = await api.client(HostService).getHost({ name });
    assert.equal(host?.status?.quarantine, undefined);
  });
});
