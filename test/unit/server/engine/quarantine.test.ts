import assert from "node:assert/strict";
import type { HostTrouble } from "../../../../server/pool/trouble.ts";
import { asHostId } from "../../../../shared/ids.ts";
import { goldenVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, failForGood, type ScriptedHost, succeed } from "../../../support/pool/scripted-host.ts";
import { sized, templateCreate, vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

const on = (name: string) => ({ placement: { host: asHostId(name) } });
const trouble = (name: string): HostTrouble | undefined => pool.view().hosts.get(asHostId(name))?.trouble;

async function addHosts(count: number): Promise<readonly ScriptedHost[]> {
  const hosts: ScriptedHost[] = [];
  for (let index = 1; index <= count; index += 1) {
    const golden = ["golden", "golden-b", "golden-c", "golden-d"].map((name) => goldenVm(name));
    hosts.push(await pool.addHost(`mac-${index}`, { inventory: wholeInventory([goldenVm(), ...golden]) }));
  }
  return hosts;
}

/** Has so many VMs fail on a host, one after the other. */
async function failOn(host: ScriptedHost, count: number, prefix = "failed"): Promise<void> {
  host.always("create", failForGood);
  for (let index = 0; index < count; index += 1) await pool.create(`${prefix}-${host.id}-${index}`, on(host.id));
}

function waitsOn(name: string): string | undefined {
  const verdict = pool.plan(on(name)).verdicts.find(({ host }) => host === name);
  return verdict?.fits === false ? verdict.filter : undefined;
}

describe("a host on which VMs keep failing", () => {
  it("takes none for a while, and is then tried with one VM at a time", async () => {
    const [bad] = await addHosts(2);
    assert.ok(bad !== undefined);
    await failOn(bad, 2);
    assert.equal(waitsOn("mac-1"), undefined);
    await failOn(bad, 1, "third");
    assert.equal(waitsOn("mac-1"), "quarantine");
    assert.equal(trouble("mac-1")?.quarantineCount, 1);
    await pool.advance(10 * minuteMs - 1000);
    assert.equal(waitsOn("mac-1"), "quarantine");
    bad.always("create", accept);
    await pool.create("a-probe", { ...sized(1), ...on("mac-1") });
    await pool.create("next", { ...sized(1), ...on("mac-1") });
    assert.deepEqual([pool.vm("a-probe").state, pool.vm("next").state], ["PENDING", "PENDING"]);
    await pool.advance(1100);
    assert.deepEqual([pool.vm("a-probe").state, pool.vm("next").state], ["CREATING", "PENDING"], "one at a time");
    bad.always("create", succeed);
    await bad.finish(pool.vm("a-probe"), pool.vm("a-probe").command ?? assert.fail());
    await pool.settle();
    assert.deepEqual([pool.vm("a-probe").state, pool.vm("next").state], ["RUNNING", "RUNNING"]);
    assert.equal(trouble("mac-1")?.quarantine, undefined);
    assert.deepEqual(trouble("mac-1")?.failures, []);
  });

  it("is isolated for twice as long when its probe fails, and again when it fails soon after", async () => {
    const [bad] = await addHosts(2);
    assert.ok(bad !== undefined);
    await failOn(bad, 3);
    await pool.advance(10 * minuteMs + 10);
    await failOn(bad, 1, "probe");
    const second = trouble("mac-1")?.quarantine ?? assert.fail();
    assert.deepEqual(
      [second.phase, second.round, second.untilMs - pool.engine.nowMs()],
      ["isolated", 2, 20 * minuteMs],
    );
    await pool.advance(20 * minuteMs + 10);
    bad.always("create", succeed);
    await pool.create("works", { ...sized(1), ...on("mac-1") });
    assert.equal(trouble("mac-1")?.quarantine, undefined);
    await failOn(bad, 3, "again");
    const third = trouble("mac-1")?.quarantine ?? assert.fail();
    assert.deepEqual([third.round, third.untilMs - pool.engine.nowMs()], [3, 40 * minuteMs]);
    assert.equal(trouble("mac-1")?.quarantineCount, 2);
  });

  it("is tried with another VM when its probe is deleted", async () => {
    const [bad] = await addHosts(2);
    assert.ok(bad !== undefined);
    await failOn(bad, 3);
    await pool.advance(10 * minuteMs + 10);
    bad.always("create", accept);
    await pool.create("probe", { ...sized(1), ...on("mac-1") });
    await pool.create("next", { ...sized(1), ...on("mac-1") });
    await pool.submit(vmWant("probe", "deleted", { force: true }));
    assert.equal(pool.vm("next").state, "CREATING");
  });

  it("is released by an operator, and the next quarantine is a first one", async () => {
    const [bad] = await addHosts(2);
    assert.ok(bad !== undefined);
    await failOn(bad, 3);
    await pool.submit({ type: "host-release", id: bad.id });
    assert.equal(waitsOn("mac-1"), undefined);
    await failOn(bad, 3, "again");
    assert.equal(trouble("mac-1")?.quarantine?.round, 1);
  });

  it("goes into no quarantine when VMs come up there in between, or failures are long past", async () => {
    const [host] = await addHosts(2);
    assert.ok(host !== undefined);
    for (const turn of ["a", "b", "c", "d"]) {
      await failOn(host, 1, turn);
      host.always("create", succeed);
      await pool.create(`good-${turn}`, { ...sized(1), ...on("mac-1") });
    }
    assert.equal(trouble("mac-1")?.failures.length, 0);
    await failOn(host, 2, "old");
    await pool.advance(31 * minuteMs);
    assert.equal(trouble("mac-1")?.failures.length, 0);
    await failOn(host, 1, "new");
    assert.equal(waitsOn("mac-1"), undefined);
  });

  it("scores lower as long as its failures are recent, and not longer", async () => {
    const [host] = await addHosts(2);
    assert.ok(host !== undefined);
    await failOn(host, 1);
    assert.equal(pool.plan().host, "mac-2");
    await pool.advance(10 * minuteMs - 100);
    assert.equal(pool.plan().host, "mac-2");
    await pool.advance(200);
    assert.equal(pool.plan().host, "mac-1");
    assert.equal(trouble("mac-1")?.failures.length, 1, "it still counts towards a quarantine");
  });

  it("stays as it is over a restart", async () => {
    const [bad] = await addHosts(2);
    assert.ok(bad !== undefined);
    await failOn(bad, 3);
    const before = trouble("mac-1");
    pool = await pool.restart();
    assert.deepEqual(trouble("mac-1"), before);
    await pool.advance(10 * minuteMs + 10);
    assert.equal(trouble("mac-1")?.quarantine?.phase, "probing");
  });
});

describe("the share of hosts in quarantine", () => {
  it("is never the last host", async () => {
    const [only] = await addHosts(1);
    assert.ok(only !== undefined);
    await failOn(only, 5);
    assert.equal(trouble("mac-1")?.quarantine, undefined);
    assert.equal(waitsOn("mac-1"), undefined);
  });

  it("bounds how many there are; the rest are only marked", async () => {
    const hosts = await addHosts(10);
    await pool.set({ hosts: { quarantine: { templateHosts: 64 } } });
    for (const host of hosts.slice(0, 4)) await failOn(host, 3);
    const inQuarantine = hosts.filter(({ id }) => trouble(id)?.quarantine !== undefined);
    assert.deepEqual(
      inQuarantine.map(({ id }) => id),
      ["mac-1", "mac-2"],
    );
    assert.equal(trouble("mac-3")?.failures.length, 3);
  });

  it("is none when the settings say so, also for those that are in it", async () => {
    const [bad, other] = await addHosts(3);
    assert.ok(bad !== undefined && other !== undefined);
    await failOn(bad, 3);
    await pool.set({ hosts: { quarantine: { share: 0 } } });
    await pool.advance(10);
    assert.equal(waitsOn("mac-1"), undefined);
    await failOn(other, 3);
    assert.equal(waitsOn("mac-2"), undefined);
  });
});

describe("a template that fails on several hosts", () => {
  it("is blamed instead of them: what they were charged with is taken back", async () => {
    const hosts = await addHosts(5);
    const [first, second, third] = hosts;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    await failOn(first, 3);
    assert.equal(waitsOn("mac-1"), "quarantine");
    await failOn(second, 1);
    assert.equal(trouble("mac-2")?.failures.length, 1);
    await failOn(third, 1);
    assert.equal(waitsOn("mac-1"), undefined, "the template was it");
    for (const name of ["mac-1", "mac-2", "mac-3"]) assert.deepEqual(trouble(name)?.failures ?? [], []);
    const { failure } = pool.vm("failed-mac-3-0");
    assert.equal(failure?.suspect, "template");
    assert.match(failure.message, /templates\/linux failed on 3 hosts/);
    await failOn(third, 5, "more");
    assert.equal(waitsOn("mac-3"), undefined);
  });

  it("is not blamed while it comes up on more hosts than it fails on", async () => {
    const hosts = await addHosts(8);
    await pool.set({ hosts: { quarantine: { share: 0.5 } } });
    const [first, ...others] = hosts;
    assert.ok(first !== undefined);
    await failOn(first, 1);
    for (const host of others.slice(3)) await pool.create(`good-${host.id}`, { ...sized(1), ...on(host.id) });
    for (const host of hosts.slice(0, 3)) await failOn(host, 3, "bad");
    assert.equal(waitsOn("mac-1"), "quarantine");
    assert.equal(waitsOn("mac-3"), "quarantine");
    assert.equal(pool.vm("bad-mac-3-0").failure?.suspect, "host");
  });

  it("does not cover up for a host on which other templates fail as well", async () => {
    const hosts = await addHosts(6);
    for (const [name, vmName] of [
      ["b", "golden-b"],
      ["c", "golden-c"],
      ["d", "golden-d"],
    ] as const) {
      await pool.submit(templateCreate(name, { source: { kind: "host-vm", vmName } }));
    }
    const [bad, ...others] = hosts;
    assert.ok(bad !== undefined);
    for (const host of others.slice(0, 3)) await failOn(host, 1);
    bad.always("create", failForGood);
    await pool.create("linux", on("mac-1"));
    assert.equal(trouble("mac-1"), undefined, "the template's fault");
    for (const template of ["b", "c", "d"]) {
      await pool.create(`of-${template}`, { ...on("mac-1"), template: templateCreate(template).id });
    }
    assert.equal(waitsOn("mac-1"), "quarantine");
  });

  it("is forgiven when its failures are long past", async () => {
    const hosts = await addHosts(4);
    for (const host of hosts.slice(0, 3)) await failOn(host, 1);
    await pool.advance(31 * minuteMs);
    assert.equal(pool.view().templates.get(templateCreate("linux").id)?.trouble, undefined);
  });
});
