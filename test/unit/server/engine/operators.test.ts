import assert from "node:assert/strict";
import { etagOf } from "../../../../server/pool/etag.ts";
import type { HostUpdate } from "../../../../server/pool/events/hosts.ts";
import type { HostSpec } from "../../../../server/pool/host.ts";
import { asHostId, asTemplateId, asVmId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, failForGood, hold, type ScriptedHost, succeed } from "../../../support/pool/scripted-host.ts";
import {
  catalogCreate,
  catalogTemplateCreate,
  templateCreate,
  templateSpec,
  uidFor,
  vmCreate,
  vmWant,
} from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const tooLarge = { resources: { cpuCount: 100, memoryMib: 0, diskMib: 0 } };

let pool: PoolDriver;
let host: ScriptedHost;

/** A change of a host's spec as an operator makes it. */
function hostUpdate(name: string, fields: Partial<HostSpec>): HostUpdate {
  const record = pool.view().hosts.get(asHostId(name)) ?? assert.fail(`no host ${name}`);
  return { type: "host-update", id: record.id, baseGeneration: record.generation, spec: { ...record.spec, ...fields } };
}

function drainFor(spanMs: number | undefined, then: "stay-cordoned" | "uncordon" = "stay-cordoned"): Partial<HostSpec> {
  const deadline = spanMs === undefined ? {} : { deadlineMs: pool.engine.nowMs() + spanMs };
  // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
  return { schedulable: false, drain: { ...deadline, reason: "an update of macOS", then } };
}

beforeEach(async () => {
  pool = await PoolDriver.open();
  host = await pool.addHost("mac-1");
});
afterEach(() => pool.close());

describe("draining a host", () => {
  it("tells since when, how many there were and how many are left, also when its deadline is changed", async () => {
    await pool.create("a");
    await pool.create("b");
    const startMs = pool.engine.nowMs();
    const before = await pool.changeHost("mac-1", drainFor(60 * minuteMs));
    assert.deepEqual(before.drainStart, { timeMs: startMs, vmCount: 2 });
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(minuteMs);
    const later = await pool.changeHost("mac-1", drainFor(30 * minuteMs));
    assert.deepEqual(later.drainStart, { timeMs: startMs, vmCount: 2 });
    assert.equal(pool.view().vmsOn(host.id).size, 1);
    const open = await pool.changeHost("mac-1", { schedulable: true });
    const { drain: _, ...spec } = open.spec;
    const ended = await pool.submit({ type: "host-update", id: host.id, baseGeneration: open.generation, spec });
    assert.equal(ended.drainStart, undefined);
  });

  it("ends at its deadline first what nobody works in, then what is preemptible, then the least priority, then the younger", async () => {
    host.always("start", hold);
    await pool.create("starts", { priority: 90 });
    host.always("start", succeed);
    await pool.create("old", { priority: 40 });
    await pool.advance(minuteMs);
    await pool.create("young", { priority: 40 });
    await pool.create("urgent", { priority: 80 });
    await pool.create("spare", { priority: 90, preemptible: true });
    await pool.changeHost("mac-1", drainFor(1000));
    host.always("delete", hold);
    await pool.advance(2000);
    const deletes = host.received.filter(({ kind }) => kind === "delete").map(({ id }) => id);
    const order = ["starts", "spare", "young", "old", "urgent"].map((name) => pool.vm(name).command?.id);
    assert.deepEqual(deletes, order);
  });

  it("without a deadline takes no new VM and ends none", async () => {
    await pool.create("a");
    await pool.changeHost("mac-1", drainFor(undefined));
    assert.equal((await pool.create("b")).state, "PENDING");
    await pool.advance(60 * minuteMs);
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("with a deadline deletes what is left then, by force", async () => {
    await pool.create("a");
    await pool.changeHost("mac-1", drainFor(5 * minuteMs));
    await pool.advance(5 * minuteMs - 100);
    assert.equal(pool.vm("a").state, "RUNNING");
    await pool.advance(200);
    assert.equal(pool.vm("a").state, "DELETED");
    assert.equal(host.received.at(-1)?.force, true);
    assert.equal(pool.view().hosts.get(host.id)?.spec.schedulable, false);
  });

  it("keeps its deadline over a restart of the server, also of a host that is lost", async () => {
    await pool.create("a");
    await pool.changeHost("mac-1", drainFor(40 * minuteMs));
    await host.disconnect();
    await pool.advance(20 * minuteMs);
    assert.equal(pool.view().hosts.get(host.id)?.state, "LOST");
    pool = await pool.restart();
    await pool.advance(20 * minuteMs + 100);
    assert.equal(pool.vm("a").state, "DELETING");
  });

  it("opens the host again once it is empty, if that was asked for", async () => {
    await pool.create("a");
    await pool.changeHost("mac-1", drainFor(undefined, "uncordon"));
    await pool.create("b");
    assert.equal(pool.vm("b").state, "PENDING");
    await pool.submit(vmWant("a", "deleted"));
    const spec = pool.view().hosts.get(host.id)?.spec;
    assert.equal(spec?.drain, undefined);
    assert.equal(spec?.schedulable, true);
    assert.equal(pool.vm("b").state, "RUNNING");
  });

  it("of an empty host that is to be opened again ends at once", async () => {
    await pool.changeHost("mac-1", drainFor(minuteMs, "uncordon"));
    assert.equal(pool.view().hosts.get(host.id)?.spec.drain, undefined);
  });

  it("can be called off", async () => {
    await pool.create("a");
    await pool.changeHost("mac-1", drainFor(minuteMs));
    const { drain: _, ...spec } = pool.view().hosts.get(host.id)?.spec ?? assert.fail();
    const generation = pool.view().hosts.get(host.id)?.generation ?? 0;
    await pool.submit({
      type: "host-update",
      id: host.id,
      baseGeneration: generation,
      spec: { ...spec, schedulable: true },
    });
    await pool.advance(5 * minuteMs);
    assert.equal(pool.vm("a").state, "RUNNING");
  });
});

describe("removing a host", () => {
  it("is refused while it is connected, and while VMs are on it", async () => {
    await pool.create("a");
    await pool.refuses({ type: "host-delete", id: host.id, force: false }, "STATE_NOT_ALLOWED");
    await host.disconnect();
    await pool.refuses({ type: "host-delete", id: host.id, force: false }, "STATE_NOT_ALLOWED");
    await pool.submit(vmWant("a", "deleted"));
    await pool.connect(host);
    await host.disconnect();
    await pool.submit({ type: "host-delete", id: host.id, force: false });
    assert.equal(pool.view().hosts.size, 0);
    await pool.refuses({ type: "host-delete", id: host.id, force: false }, "RESOURCE_NOT_FOUND");
  });

  it("by force gives up all its VMs, whatever they are doing", async () => {
    await pool.create("running");
    host.next("create", { ...failForGood, kind: "fail", isRetryable: false, leaves: "stopped" });
    await pool.create("failed");
    host.next("delete", hold);
    await pool.create("leaving");
    await pool.submit(vmWant("leaving", "deleted"));
    host.next("create", accept);
    await pool.create("creating");
    host.next("create", hold);
    await pool.create("placed");
    await pool.submit({ type: "host-delete", id: host.id, force: true });
    const states = ["running", "failed", "leaving", "creating", "placed"].map((name) => pool.vm(name).state);
    assert.deepEqual(states, ["FAILED", "FAILED", "DELETED", "FAILED", "FAILED"]);
    assert.equal(pool.vm("running").failure?.reason, "HostDeleted");
    assert.equal(pool.vm("failed").failure?.reason, "Scripted", "it failed for a reason of its own");
    assert.equal(pool.vm("failed").host, undefined);
    await pool.advance(30 * minuteMs);
    assert.equal(pool.view().vms.size, 0);
  });

  it("drops what the host still says, and lets it enrol again", async () => {
    await pool.submit({ type: "host-delete", id: host.id, force: true });
    assert.equal(await host.heartbeat(), false);
    await pool.connect(host);
    assert.equal((await pool.create("a")).state, "RUNNING");
  });
});

describe("repeated requests", () => {
  const request = { id: "CreateVm/r1", fingerprint: "one" };

  it("make one VM, and answer with it as it is now", async () => {
    const first = await pool.submit(vmCreate("a", { request }));
    const again = await pool.submit(vmCreate("another-name", { uid: uidFor("other"), request }));
    assert.equal(again.uid, first.uid);
    assert.equal(again.state, "RUNNING");
    assert.equal(pool.view().vms.size, 1);
  });

  it("with other content are refused", async () => {
    await pool.submit(vmCreate("a", { request }));
    await pool.refuses(vmCreate("b", { request: { ...request, fingerprint: "two" } }), "REQUEST_ID_REUSED");
  });

  it("answer with the deleted VM, then that it is gone, and never with a new one of that name", async () => {
    await pool.submit(vmCreate("a", { request }));
    await pool.submit(vmWant("a", "deleted"));
    assert.equal((await pool.submit(vmCreate("a", { request }))).state, "DELETED");
    await pool.submit(vmCreate("a", { uid: uidFor("second") }));
    await pool.refuses(vmCreate("a", { request }), "RESOURCE_NOT_FOUND");
  });

  it("are remembered for an hour, over a restart too, and then forgotten", async () => {
    await pool.submit(vmCreate("a", { request, ...tooLarge }));
    pool = await pool.restart();
    assert.equal((await pool.submit(vmCreate("a", { request, ...tooLarge }))).id, "a");
    await pool.advance(60 * minuteMs + 100);
    assert.equal(pool.view().requests.size, 0);
  });

  it("make one template and one catalog", async () => {
    const template = { ...templateCreate("t"), request: { id: "CreateTemplate/r1", fingerprint: "x" } };
    const catalog = { ...catalogCreate("c"), request: { id: "CreateCatalog/r1", fingerprint: "x" } };
    assert.equal((await pool.submit(template)).uid, (await pool.submit(template)).uid);
    assert.equal((await pool.submit(catalog)).uid, (await pool.submit(catalog)).uid);
    await pool.submit({ type: "template-delete", id: template.id });
    await pool.submit({ type: "catalog-delete", id: catalog.id });
    await pool.refuses(template, "RESOURCE_NOT_FOUND");
    await pool.refuses(catalog, "RESOURCE_NOT_FOUND");
  });

  it("without a request id are refused for the name, until that VM is gone", async () => {
    await pool.create("a");
    await pool.refuses(vmCreate("a"), "RESOURCE_EXISTS");
    await pool.submit(vmWant("a", "deleted"));
    const second = await pool.create("a", { uid: uidFor("second") });
    assert.equal(second.uid, uidFor("second"));
    assert.equal(second.state, "RUNNING");
    assert.equal(pool.view().findVmByUid(uidFor("a")), undefined);
  });
});

describe("etags and generations", () => {
  it("change with every change of the resource, and an old one is refused", async () => {
    const before = etagOf(await pool.create("a"));
    await pool.submit(vmWant("a", "stopped", { etag: before }));
    assert.notEqual(etagOf(pool.vm("a")), before);
    await pool.refuses(vmWant("a", "running", { etag: before }), "ETAG_MISMATCH");
    await pool.refuses(vmWant("a", "deleted", { etag: before }), "ETAG_MISMATCH");
    assert.equal(pool.vm("a").state, "STOPPED");
    const template = pool.view().templates.get(asTemplateId("linux")) ?? assert.fail();
    await pool.refuses({ type: "template-delete", id: template.id, etag: '"x"' }, "ETAG_MISMATCH");
    await pool.refuses({ type: "host-delete", id: host.id, force: true, etag: '"x"' }, "ETAG_MISMATCH");
  });

  it("refuse a spec that was derived from an older one", async () => {
    const stale = hostUpdate("mac-1", { labels: { rack: "1" } });
    await pool.submit(stale);
    await pool.refuses(stale, "ETAG_MISMATCH");
    const { spec, generation } = await pool.create("a");
    const update = {
      type: "vm-update",
      id: asVmId("a"),
      baseGeneration: generation,
      spec: { ...spec, labels: { x: "1" } },
    } as const;
    await pool.submit(update);
    await pool.refuses(update, "ETAG_MISMATCH");
  });
});

describe("updates of VMs", () => {
  it("that wait can change what they need, and place them", async () => {
    const { spec, generation } = await pool.create("a", tooLarge);
    const resources = { cpuCount: 1, memoryMib: 0, diskMib: 0 };
    await pool.submit({ type: "vm-update", id: asVmId("a"), baseGeneration: generation, spec: { ...spec, resources } });
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.equal(pool.vm("a").resources.cpuCount, 1);
  });

  it("that wait again, after a refusal, can be changed though their template is gone", async () => {
    host.next("create", hold);
    const { command, image } = await pool.create("a");
    await pool.submit({ type: "template-delete", id: asTemplateId("linux") });
    await host.report(command ?? assert.fail(), "REFUSED");
    const { spec, generation } = pool.vm("a");
    assert.equal(pool.vm("a").state, "PENDING");
    const labels = { job: "7" };
    await pool.submit({ type: "vm-update", id: asVmId("a"), baseGeneration: generation, spec: { ...spec, labels } });
    assert.deepEqual(pool.vm("a").image, image);
    await pool.advance(2000);
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("that wait move the end of the wait, counted from its beginning", async () => {
    const { spec, generation } = await pool.create("a", tooLarge);
    await pool.advance(minuteMs);
    await pool.submit({
      type: "vm-update",
      id: asVmId("a"),
      baseGeneration: generation,
      spec: { ...spec, pendingTimeoutMs: 1.5 * minuteMs },
    });
    await pool.advance(0.5 * minuteMs + 100);
    assert.equal(pool.vm("a").failure?.reason, "PendingTimeout");
  });

  it("that stand somewhere change labels, and nothing of what they are made of", async () => {
    const { spec, generation, resources } = await pool.create("a");
    await pool.submit({
      type: "vm-update",
      id: asVmId("a"),
      baseGeneration: generation,
      spec: { ...spec, labels: { job: "7" }, resources: { cpuCount: 8, memoryMib: 0, diskMib: 0 } },
    });
    assert.deepEqual(pool.vm("a").spec.labels, { job: "7" });
    assert.deepEqual(pool.vm("a").resources, resources);
    assert.equal(pool.vm("a").observedGeneration, 2, "it asks for nothing more");
    assert.equal(pool.view().ledger(host.id).cpuTaken, resources.cpuCount);
  });
});

describe("templates and catalogs", () => {
  it("cannot be deleted while they are in use", async () => {
    await pool.create("waits", tooLarge);
    await pool.refuses({ type: "template-delete", id: asTemplateId("linux") }, "RESOURCE_IN_USE");
    await pool.submit(vmWant("waits", "deleted"));
    await pool.create("runs");
    await pool.submit({ type: "template-delete", id: asTemplateId("linux") });
    assert.equal(pool.vm("runs").state, "RUNNING");
    await pool.refuses(vmCreate("b"), "RESOURCE_NOT_FOUND");
    const catalog = await pool.submit(catalogCreate("store"));
    await pool.submit(catalogTemplateCreate("pulled", "store"));
    await pool.refuses({ type: "catalog-delete", id: catalog.id }, "RESOURCE_IN_USE");
    await pool.refuses(catalogTemplateCreate("other", "nowhere"), "RESOURCE_NOT_FOUND");
  });

  it("that change leave what was accepted before as it was", async () => {
    await pool.create("a", tooLarge);
    const template = pool.view().templates.get(asTemplateId("linux")) ?? assert.fail();
    const spec = templateSpec({ resources: { cpuCount: 7, memoryMib: 1024, diskMib: 1000 } });
    await pool.submit({ type: "template-update", id: template.id, baseGeneration: 1, spec });
    assert.equal(pool.vm("a").resources.memoryMib, 4096);
    assert.equal((await pool.create("b")).resources.cpuCount, 7);
  });
});

describe("copies of VMs", () => {
  beforeEach(async () => {
    await pool.create("original", { wanted: "stopped", resources: { cpuCount: 3, memoryMib: 0, diskMib: 0 } });
    await pool.addHost("mac-0");
  });

  it("stand on the host of their original, whatever placement would choose", async () => {
    const copy = await pool.create("copy", { sourceVm: asVmId("original") });
    assert.equal(copy.host, "mac-1");
    assert.equal(copy.state, "RUNNING");
    assert.equal(copy.resources.cpuCount, 3);
  });

  it("are refused of a VM that is not stopped, is gone, or stands on another host than the one asked for", async () => {
    await pool.create("running");
    await pool.refuses(vmCreate("c", { sourceVm: asVmId("running") }), "STATE_NOT_ALLOWED");
    await pool.refuses(vmCreate("c", { sourceVm: asVmId("nobody") }), "RESOURCE_NOT_FOUND");
    const elsewhere = vmCreate("c", { sourceVm: asVmId("original"), placement: { host: asHostId("mac-0") } });
    await pool.refuses(elsewhere, "FIELD_INVALID");
  });

  it("that wait stay with that host when their original is deleted and another VM takes its name", async () => {
    await pool.changeHost("mac-1", { schedulable: false });
    assert.equal((await pool.create("copy", { sourceVm: asVmId("original") })).state, "PENDING");
    await pool.submit(vmWant("original", "deleted"));
    await pool.create("original", { uid: uidFor("second") });
    assert.equal(pool.vm("original").host, "mac-0");
    await pool.changeHost("mac-1", { schedulable: true });
    assert.equal(pool.vm("copy").host, "mac-1");
    assert.deepEqual(pool.vm("copy").image.source, {
      kind: "clone",
      vm: "original",
      uid: uidFor("original"),
      host: "mac-1",
    });
  });

  it("that wait do so for that host after a restart too", async () => {
    await pool.changeHost("mac-1", { schedulable: false });
    await pool.create("copy", { sourceVm: asVmId("original") });
    // The original is younger in its state than the copy, so it is read after it.
    await pool.submit(vmWant("original", "running"));
    await pool.submit(vmWant("original", "stopped"));
    pool = await pool.restart();
    await pool.addHost("mac-0");
    assert.equal(pool.vm("copy").state, "PENDING");
  });
});
