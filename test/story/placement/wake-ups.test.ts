/**
 * Every cause that can let a waiting VM have a host, one test each, through the engine: it wakes the first in the order among
 * those that it can help, and nobody whom it cannot help is as much as tried.
 */
import assert from "node:assert/strict";
import type { HostDrain, HostSpec } from "../../../server/pool/host.ts";
import type { ProjectQuota } from "../../../server/pool/project.ts";
import { asHostId, asProjectId, asVmId } from "../../../shared/ids.ts";
import { goldenVm, hostVm, wholeInventory } from "../../support/pool/hosts.ts";
import { PoolDriver } from "../../support/pool/pool-driver.ts";
import { accept, failForGood, hold, type ScriptedHost, succeed } from "../../support/pool/scripted-host.ts";
import { defaultTemplate, sized, templateCreate, uidFor, type VmSpecFields, vmWant } from "../../support/pool/specs.ts";
import { followTries } from "../../support/pool/tries.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
let pool: PoolDriver;
/** What is tried from `queue` on. */
let tries: readonly string[];

const on = (name: string) => ({ placement: { host: asHostId(name) } });
const fast = { placement: { required: [{ key: "disk", operator: "in", values: ["fast"] }] } } as const;

/** A Mac that takes the whole of one VM of 12 CPUs, and a VM that fills it. */
async function full(name = "mac-1", fields: VmSpecFields = {}): Promise<ScriptedHost> {
  const host = await pool.addHost(name);
  await pool.create(`holder-of-${name}`, { ...sized(12), ...on(name), ...fields });
  assert.equal(pool.vm(`holder-of-${name}`).host, name);
  return host;
}

/**
 * VMs that wait: of two that are alike the second in the order, then the first, and more urgent than both some that ask for what
 * nobody has, and one for a Mac that is full.
 */
async function queue(fields: VmSpecFields = sized(12)): Promise<void> {
  for (let index = 0; index < 3; index += 1) await pool.create(`hopeless-${index}`, { ...sized(64), priority: 100 });
  await pool.create("elsewhere", { ...sized(2), ...on("mac-9"), priority: 100 });
  await pool.create("second", { priority: 40, ...fields });
  await pool.create("first", { priority: 60, ...fields });
  for (const name of ["first", "second"]) assert.equal(pool.vm(name).state, "PENDING", name);
  tries = followTries(pool.view());
}

async function setProject(weight: number, quota: ProjectQuota = {}, name = "acme"): Promise<void> {
  const spec = { displayName: "", weight, quota, labels: {} };
  const id = asProjectId(name);
  const known = pool.view().projects.get(name);
  if (known === undefined) await pool.submit({ type: "project-create", id, uid: uidFor(name), spec });
  else await pool.submit({ type: "project-update", id, baseGeneration: known.generation, spec });
}

/** A host that is being drained. */
function drainedFor(then: HostDrain["then"]): Partial<HostSpec> {
  // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
  return { schedulable: false, drain: { reason: "an update", then } };
}

async function update(name: string, fields: VmSpecFields): Promise<void> {
  const { id, generation, spec } = pool.vm(name);
  const { placement, ...others } = fields;
  const changed = { ...spec, ...others, placement: { ...spec.placement, ...placement } };
  await pool.submit({ type: "vm-update", id, baseGeneration: generation, spec: changed });
}

/** A Mac on which so many VMs have failed that it is in quarantine, with its room free again. */
async function quarantined(): Promise<ScriptedHost> {
  const host = await pool.addHost("mac-1");
  host.always("create", failForGood);
  for (const name of ["a", "b", "c"]) {
    await pool.create(name, on("mac-1"));
    await pool.submit(vmWant(name, "deleted"));
  }
  host.always("create", succeed);
  assert.equal(pool.view().hosts.get(host.id)?.trouble?.quarantine?.phase, "isolated");
  return host;
}

beforeEach(async () => {
  pool = await PoolDriver.open();
  await full("mac-9");
});
afterEach(() => pool.close());

/** The cause has come: the first has its host, nobody else has, and nobody but those of its shape was tried. */
function assertFirstAlone(): void {
  assert.notEqual(pool.vm("first").host, undefined, `first: ${pool.explain("first").summary}`);
  for (const name of ["second", "elsewhere", "hopeless-0", "hopeless-1", "hopeless-2"]) {
    assert.equal(pool.vm(name).state, "PENDING", name);
  }
  assert.equal(tries[0], "first");
  // The one behind it is looked at once, since it may fit beside.
  assert.ok(tries.length <= 2 && tries.slice(1).every((name) => name === "second"), tries.join(", "));
}

/** A test whose cause has come by its end. */
function wakes(name: string, cause: () => Promise<void>): void {
  it(name, async () => {
    await cause();
    assertFirstAlone();
  });
}

describe("the right VM is woken, and nobody else tried, when", () => {
  describe("a VM goes:", () => {
    wakes("it is deleted", async () => {
      await full();
      await queue();
      await pool.submit(vmWant("holder-of-mac-1", "deleted"));
    });

    wakes("its create fails and leaves nothing", async () => {
      const host = await pool.addHost("mac-1");
      host.next("create", hold);
      await pool.create("holder", { ...sized(12), ...on("mac-1") });
      await queue();
      await host.report(pool.vm("holder").command ?? assert.fail(), "FAILED");
      await pool.settle();
    });

    wakes("its host refuses it", async () => {
      const host = await pool.addHost("mac-1");
      host.next("create", hold);
      await pool.create("holder", { ...sized(12), ...on("mac-1") });
      await queue();
      await host.report(pool.vm("holder").command ?? assert.fail(), "REFUSED");
      await pool.settle();
    });

    wakes("it is tried on another host", async () => {
      const host = await pool.addHost("mac-1");
      host.next("create", hold);
      await pool.create("holder", { ...sized(12), ...on("mac-1"), retryAttempts: 1 });
      await queue();
      const failure = { reason: "Test", message: "it failed", suspect: "host", isRetryable: false } as const;
      await host.report(pool.vm("holder").command ?? assert.fail(), "FAILED", { failure });
      await pool.settle();
    });

    wakes("somebody removes it by hand", async () => {
      const host = await full();
      await queue();
      await host.removeByHand(pool.hostName("holder-of-mac-1"));
      await pool.settle();
    });

    wakes("its lease runs out", async () => {
      await full("mac-1", { leaseDurationMs: 5 * minuteMs });
      await queue();
      await pool.advance(5 * minuteMs + 100);
    });

    wakes("its lifetime is over", async () => {
      await full("mac-1", { maxLifetimeMs: 5 * minuteMs });
      await queue();
      await pool.advance(5 * minuteMs + 100);
    });

    wakes("it has failed, and was kept for a look for long enough", async () => {
      const host = await pool.addHost("mac-1");
      host.next("create", { ...failForGood, kind: "fail", leaves: "stopped", isRetryable: false });
      await pool.create("holder", { ...sized(12), ...on("mac-1") });
      await queue();
      assert.equal(pool.vm("holder").state, "FAILED");
      await pool.advance(15 * minuteMs + 100);
    });

    wakes("it has failed, and the settings keep it for a shorter time", async () => {
      const host = await pool.addHost("mac-1");
      host.next("create", { kind: "fail", leaves: "stopped", isRetryable: false });
      await pool.create("holder", { ...sized(12), ...on("mac-1") });
      await queue();
      await pool.advance(minuteMs);
      await pool.set({ vms: { failedRetentionMs: 30 * secondMs } });
      await pool.advance(100);
      // Settings may be read by any filter, so a change of any lets everybody look: once a shape.
      assert.deepEqual(tries.slice(0, 3).toSorted(), ["elsewhere", "first", "hopeless-0"]);
      tries = tries.slice(3);
    });

    wakes("its create is finished, where only so many may go on at once", async () => {
      const host = await pool.addHost("mac-1");
      host.always("create", accept);
      for (const name of ["a", "b", "c", "d"]) await pool.create(name, { ...sized(1), ...on("mac-1") });
      await queue(sized(1));
      await host.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail());
      await pool.settle();
    });
  });

  describe("a host changes:", () => {
    wakes("it joins", async () => {
      await queue();
      await pool.addHost("mac-1");
    });

    wakes("it comes back", async () => {
      const host = await pool.addHost("mac-1");
      await host.disconnect();
      await queue();
      await pool.connect(host);
    });

    wakes("it comes back when it was lost", async () => {
      const host = await pool.addHost("mac-1");
      await host.disconnect();
      await pool.advance(30 * minuteMs);
      assert.equal(pool.view().hosts.get(host.id)?.state, "LOST");
      await queue();
      await pool.connect(host);
    });

    wakes("it is uncordoned", async () => {
      await pool.addHost("mac-1");
      await pool.changeHost("mac-1", { schedulable: false });
      await queue();
      await pool.changeHost("mac-1", { schedulable: true });
    });

    wakes("its drain is cancelled", async () => {
      await pool.addHost("mac-1");
      await pool.create("there", { ...sized(1), ...on("mac-1") });
      await pool.changeHost("mac-1", drainedFor("uncordon"));
      await queue(sized(11));
      const { drain: _, ...spec } = pool.view().hosts.get(asHostId("mac-1"))?.spec ?? assert.fail();
      const { id, generation } = pool.view().hosts.get(asHostId("mac-1")) ?? assert.fail();
      await pool.submit({ type: "host-update", id, baseGeneration: generation, spec: { ...spec, schedulable: true } });
    });

    wakes("its drain is done, and opens it again", async () => {
      await full("mac-1");
      await pool.changeHost("mac-1", drainedFor("uncordon"));
      await queue();
      await pool.submit(vmWant("holder-of-mac-1", "deleted"));
    });

    wakes("its limits are raised", async () => {
      await full();
      await queue();
      const { limits } = pool.view().hosts.get(asHostId("mac-1"))?.spec ?? assert.fail();
      await pool.changeHost("mac-1", { limits: { ...limits, cpuOvercommit: 2, memoryOvercommit: 2 } });
    });

    wakes("less of it is reserved for macOS", async () => {
      await pool.addHost("mac-1");
      await pool.changeHost("mac-1", { reserved: { cpuCount: 4, memoryMib: 0, diskMib: 0 } });
      await queue();
      await pool.changeHost("mac-1", { reserved: { cpuCount: 0, memoryMib: 0, diskMib: 0 } });
    });

    wakes("it is given a label that is required", async () => {
      await pool.addHost("mac-1");
      await queue({ ...sized(12), ...fast });
      await pool.changeHost("mac-1", { labels: { disk: "fast" } });
    });

    wakes("its agent tells a label that is required", async () => {
      const host = await pool.addHost("mac-1");
      await queue({ ...sized(12), ...fast });
      await pool.connect(host, { agentLabels: { disk: "fast" } });
    });

    wakes("a foreign VM on it is stopped", async () => {
      const host = await pool.addHost("mac-1");
      const resources = { cpuCount: 12, memoryMib: 0, diskMib: 0 };
      const foreign = hostVm("of-a-person", { state: "running", resources });
      host.vms.set(foreign.name, foreign);
      await host.tellInventory(wholeInventory([...host.vms.values()]));
      await queue();
      await host.changeByHand("of-a-person", "stopped");
      await pool.settle();
    });

    wakes("its preflight holds again", async () => {
      const host = await pool.addHost("mac-1");
      const condition = { type: "Disk", reason: "Test", message: "" };
      await host.heartbeat({ conditions: [{ ...condition, holds: false }] });
      await queue();
      await host.heartbeat({ conditions: [{ ...condition, holds: true }] });
      await pool.settle();
    });

    wakes("disk is freed on it", async () => {
      const host = await pool.addHost("mac-1");
      await host.heartbeat({ diskFreeMib: 100 });
      await queue();
      await host.heartbeat({ diskFreeMib: 100_000 });
      await pool.settle();
    });

    wakes("a golden VM appears on it", async () => {
      const host = await pool.addHost("mac-1", { inventory: wholeInventory([]) });
      await queue();
      await host.tellInventory(wholeInventory([goldenVm()]));
      await pool.settle();
    });
  });

  describe("a quarantine ends:", () => {
    wakes("by time", async () => {
      await quarantined();
      await queue();
      await pool.advance(10 * minuteMs + 100);
    });

    wakes("by an operator", async () => {
      const { id } = await quarantined();
      await queue();
      await pool.submit({ type: "host-release", id });
    });

    wakes("by a probe that came up, which lets the next one in", async () => {
      const host = await quarantined();
      host.next("create", accept);
      await pool.create("probe", { ...sized(2), ...on("mac-1"), priority: 90 });
      await pool.advance(10 * minuteMs + 100);
      assert.equal(pool.vm("probe").state, "CREATING");
      await queue(sized(10));
      await host.finish(pool.vm("probe"), pool.vm("probe").command ?? assert.fail());
      await pool.settle();
    });

    wakes("since it was the template's fault", async () => {
      await quarantined();
      const [second, third] = [await pool.addHost("mac-2"), await pool.addHost("mac-3")];
      second.next("create", failForGood);
      third.next("create", hold);
      for (const { id } of [second, third]) {
        await pool.create(`on-${id}`, { ...sized(12), ...on(id) });
        await pool.changeHost(id, { schedulable: false });
      }
      await queue();
      const failure = { reason: "Test", message: "it failed", suspect: "host", isRetryable: false } as const;
      await third.report(pool.vm("on-mac-3").command ?? assert.fail(), "FAILED", { failure });
      await pool.settle();
      assert.equal(pool.vm("first").host, "mac-1");
    });
  });

  describe("a project may have more:", () => {
    const ofAcme = { ...sized(2), project: "acme" };

    /** A project that holds all that its quota gives, and has VMs that wait, on a Mac with room. */
    async function held(quota: ProjectQuota = { vms: 1 }): Promise<void> {
      await pool.addHost("mac-1");
      await setProject(1, quota);
      await pool.create("holder", ofAcme);
      await queue(ofAcme);
    }

    wakes("its quota is raised", async () => {
      await held();
      await setProject(1, { vms: 2 });
    });

    wakes("its quota is lifted", async () => {
      await held({ cpuCount: 3 });
      await update("second", sized(11));
      tries = followTries(pool.view());
      await setProject(1);
    });

    wakes("a VM of it is deleted", async () => {
      await held();
      await pool.submit(vmWant("holder", "deleted"));
    });

    wakes("a VM of it is given up with its host", async () => {
      const host = await pool.addHost("mac-1");
      await setProject(1, { vms: 1 });
      await pool.create("holder", { ...sized(12), project: "acme", onHostLost: "fail" });
      await pool.addHost("mac-2");
      await queue(ofAcme);
      await host.disconnect();
      await pool.advance(20 * minuteMs);
    });
  });

  describe("room that was kept is let go:", () => {
    /** Room has built up for a large VM where small ones wait for it. */
    async function kept(): Promise<void> {
      await pool.addHost("mac-1");
      for (const name of ["small-1", "small-2"]) await pool.create(name, { ...sized(6), ...on("mac-1") });
      await pool.create("large", { ...sized(12), placement: { host: asHostId("mac-1") } });
      await pool.create("small-3", sized(6));
      await pool.submit(vmWant("small-1", "deleted"));
      await pool.advance(11 * minuteMs);
      assert.equal(pool.vm("large").reservation?.host, "mac-1");
      await queue(sized(6));
      await pool.submit(vmWant("small-2", "deleted"));
      assert.equal(pool.vm("first").state, "PENDING");
      assert.deepEqual(tries, [], "room that is kept is for nobody else");
    }

    wakes("the VM is deleted", async () => {
      await kept();
      await pool.submit(vmWant("large", "deleted"));
    });

    wakes("the VM asks for something else", async () => {
      await kept();
      await update("large", sized(11));
      // It is as new, and looks for itself.
      assert.equal(tries[0], "large");
      tries = tries.filter((name) => name !== "large");
    });

    wakes("it was kept for long enough", async () => {
      await kept();
      await pool.advance(120 * minuteMs);
    });
  });

  describe("the VM itself changes:", () => {
    wakes("it asks for less", async () => {
      await pool.addHost("mac-1");
      await queue(sized(20));
      await update("first", sized(12));
    });

    wakes("it asks for no label any more", async () => {
      await pool.addHost("mac-1");
      await queue({ ...sized(12), ...fast });
      await update("first", { placement: { required: [] } });
    });

    wakes("its next try is due", async () => {
      const host = await pool.addHost("mac-1");
      host.next("create", hold);
      await pool.create("first", { ...sized(12), ...on("mac-1"), priority: 60 });
      for (let index = 0; index < 3; index += 1) await pool.create(`hopeless-${index}`, sized(64));
      await pool.create("elsewhere", { ...sized(2), ...on("mac-9") });
      await pool.create("second", { ...sized(64), priority: 40 });
      await host.report(pool.vm("first").command ?? assert.fail(), "REFUSED");
      await pool.settle();
      assert.equal(pool.vm("first").state, "PENDING");
      tries = followTries(pool.view());
      await pool.advance(2 * secondMs);
    });
  });
});

describe("who is first", () => {
  /** Two projects that hold alike each have a VM that waits: `ours` has waited for longer. */
  async function compete(): Promise<void> {
    await full();
    await pool.create("ours", { ...sized(12), project: "acme" });
    await pool.advance(secondMs);
    await pool.create("theirs", { ...sized(12), project: "other" });
  }
  const hosts = () => [pool.vm("ours").host, pool.vm("theirs").host];

  it("is the older of two projects that hold alike", async () => {
    await compete();
    await pool.submit(vmWant("holder-of-mac-1", "deleted"));
    assert.deepEqual(hosts(), ["mac-1", undefined]);
  });

  it("changes with a project's weight", async () => {
    await compete();
    await setProject(100, {}, "other");
    await pool.submit(vmWant("holder-of-mac-1", "deleted"));
    assert.deepEqual(hosts(), [undefined, "mac-1"]);
  });

  it("changes with a VM's priority", async () => {
    await compete();
    await update("theirs", { priority: 90 });
    await pool.submit(vmWant("holder-of-mac-1", "deleted"));
    assert.deepEqual(hosts(), [undefined, "mac-1"]);
  });
});

describe("what no VM waits for wakes nobody:", () => {
  it("an image arrives, a heartbeat comes, a template is blamed no more", async () => {
    const host = await full();
    await queue();
    const images = [{ catalogId: "IMAGE", version: "v1", architecture: "arm64" as const, sizeMib: 1 }];
    await host.tellInventory(wholeInventory([...host.vms.values()], { images }));
    await host.heartbeat();
    const template = pool.view().templates.get(defaultTemplate) ?? assert.fail();
    await pool.submit({
      type: "template-update",
      id: template.id,
      baseGeneration: template.generation,
      spec: { ...template.spec, description: "another" },
    });
    await pool.advance(31 * minuteMs);
    assert.deepEqual(tries, []);
    await pool.submit(templateCreate("other"));
    assert.deepEqual(tries, []);
    assert.equal(pool.view().vms.get(asVmId("first"))?.state, "PENDING");
  });

  it("a VM goes that leaves too little", async () => {
    await pool.addHost("mac-1");
    for (const name of ["a", "b"]) await pool.create(name, { ...sized(6), ...on("mac-1") });
    await queue();
    await pool.submit(vmWant("a", "deleted"));
    assert.deepEqual(tries, []);
  });
});
