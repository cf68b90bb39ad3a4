import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { waitingSentence } from "../../../../server/placement/explain.ts";
import { PlacementPlanner } from "../../../../server/planners/waiting.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import type { VmRecord } from "../../../../server/pool/vm.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { CountingPool } from "../../../support/pool/counting-pool.ts";
import { hostConnected } from "../../../support/pool/hosts.ts";
import { applyStep, placementSteps, placementTemplates, planSteps } from "../../../support/pool/placement-history.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept } from "../../../support/pool/scripted-host.ts";
import {
  catalogCreate,
  catalogTemplateCreate,
  sized,
  templateCreate,
  uidFor,
  vmCreate,
  vmSpec,
} from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

function sentenceOf(vm: VmRecord): string {
  return waitingSentence(pool.view(), vm, pool.engine.nowMs());
}

/** Places what fits, and gives every VM its next command. */
function settle(view: Pool, timeMs: number): void {
  const planner = new PlacementPlanner(view);
  for (let placement = planner.next(timeMs); placement !== undefined; placement = planner.next(timeMs)) {
    applyEvent(view, placement, timeMs);
    planSteps(view, timeMs);
  }
}

describe("explanations", () => {
  it("say that there is no host, when there is none", async () => {
    await pool.create("a");
    assert.equal(pool.explain("a").summary, "waiting a moment, first of 1 in the queue: no host has joined the pool");
    assert.equal(pool.plan().summary, "it would wait: no host has joined the pool");
  });

  it("name every reason with its hosts, the most frequent first", async () => {
    for (const name of ["mac-1", "mac-2", "mac-3"]) await pool.addHost(name);
    await pool.changeHost("mac-1", { schedulable: false });
    for (const name of ["mac-2", "mac-3"])
      await pool.create(`fills-${name}`, { ...sized(12), placement: { host: asHostId(name) } });
    await pool.create("a");
    await pool.advance(180_000);
    const sentence = "2 hosts have too few CPUs free, 1 is cordoned";
    assert.equal(pool.explain("a").summary, `waiting 3 min, first of 1 in the queue: ${sentence}`);
    assert.equal(sentenceOf(pool.vm("a")), `waiting 3 min, first in the queue: ${sentence}`);
  });

  it("tell of a pull of the template that is under way, and how far it has come", async () => {
    await pool.submit(catalogCreate("catalog"));
    const { id: template } = await pool.submit(catalogTemplateCreate("ventura", "catalog"));
    for (const name of ["mac-1", "mac-2", "mac-3"]) {
      const host = await pool.addHost(name);
      const { limits } = pool.view().hosts.get(host.id)?.spec ?? assert.fail();
      await pool.changeHost(name, { limits: { ...limits, parallelCreates: 1 } });
      host.always("create", accept);
    }
    await pool.changeHost("mac-3", { schedulable: false });
    for (const name of ["mac-1", "mac-2"])
      await pool.create(`on-${name}`, { ...sized(1), template, placement: { host: asHostId(name) } });
    await pool.create("a", { ...sized(1), template });
    const many = "2 hosts are making as many VMs as they may at once, 1 is cordoned";
    assert.equal(sentenceOf(pool.vm("a")), `waiting a moment, first in the queue: ${many}`);
    const tell = async (name: string, step: string, percent: number): Promise<void> => {
      const command = pool.vm(`on-${name}`).command ?? assert.fail();
      await pool.host(name).report(command, "RUNNING", { progress: { step, percent, etaMs: 0, message: "" } });
    };
    await tell("mac-1", "download", 38.7);
    const one = "1 host is making as many VMs as it may at once, 1 is cordoned, 1 is pulling the template (38 %)";
    assert.equal(sentenceOf(pool.vm("a")), `waiting a moment, first in the queue: ${one}`);
    await tell("mac-2", "download", 50);
    const two = "2 hosts are pulling the template (up to 50 %), 1 is cordoned";
    assert.equal(sentenceOf(pool.vm("a")), `waiting a moment, first in the queue: ${two}`);
    await tell("mac-1", "decompress", 10);
    assert.match(sentenceOf(pool.vm("a")), /1 is pulling the template \(50 %\)$/);
    // Whoever waits for something else is not told of it.
    await pool.create("other", sized(1));
    assert.match(sentenceOf(pool.vm("other")), new RegExp(`${many}$`));
  });

  it("count the place in the queue in words that people say", async () => {
    for (let count = 1; count <= 23; count += 1) await pool.create(`vm-${String(count).padStart(2, "0")}`);
    const place = (name: string) => /, (\w+) of 23/.exec(pool.explain(name).summary)?.[1];
    assert.deepEqual(["vm-01", "vm-02", "vm-03", "vm-04", "vm-11", "vm-12", "vm-21", "vm-22", "vm-23"].map(place), [
      "first",
      "second",
      "third",
      "4th",
      "11th",
      "12th",
      "21st",
      "22nd",
      "23rd",
    ]);
    assert.equal(pool.explain("vm-04").queuePosition, 4);
  });

  it("say of VMs that wait which is the next", async () => {
    await pool.addHost("mac-1");
    await pool.create("holder", sized(12));
    for (const name of ["a", "b"]) await pool.create(name);
    assert.equal(sentenceOf(pool.vm("b")), "waiting a moment, second in the queue: 1 host has too few CPUs free");
  });

  it("say of a record that is older than its VM what has become of that", async () => {
    await pool.create("a");
    const waiting = pool.vm("a");
    await pool.addHost("mac-1");
    assert.equal(sentenceOf(waiting), "no longer waiting: it is RUNNING by now");
  });

  it("of thousands that wait look once at each host", () => {
    const counting = new CountingPool(0);
    applyEvent(counting, templateCreate("linux"), 1);
    for (let host = 0; host < 50; host += 1) applyEvent(counting, hostConnected(`mac-${host}`), 1);
    for (let vm = 0; vm < 2000; vm += 1) applyEvent(counting, vmCreate(`vm-${vm}`, sized(64)), 1);
    counting.looks = 0;
    for (const vm of counting.vms.values()) assert.match(waitingSentence(counting, vm, 1), /: 50 hosts are too small$/);
    assert.equal(counting.looks, 50);
    applyEvent(counting, hostConnected("mac-50"), 1);
    for (const vm of counting.vms.values()) assert.match(waitingSentence(counting, vm, 1), /: 51 hosts are too small$/);
  });

  it("remembered from before are those that would be made now, through any history", () => {
    fc.assert(
      fc.property(fc.array(placementSteps, { minLength: 20, maxLength: 60, size: "max" }), (steps) => {
        const view = new Pool(0);
        for (const template of placementTemplates) applyEvent(view, template, 1);
        let timeMs = 1;
        for (const [index, step] of steps.entries()) {
          timeMs += step.waitMs;
          applyStep(view, step, { index, timeMs });
          if (step.isPlanned) settle(view, timeMs);
          for (const vm of view.vms.values()) {
            const sentence = waitingSentence(view, vm, timeMs);
            // Nothing is remembered of a view that was never asked.
            const unasked: Pool = Object.create(view);
            assert.equal(sentence, waitingSentence(unasked, vm, timeMs));
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("put what is urgent first", async () => {
    await pool.create("a");
    await pool.create("b", { priority: 90 });
    assert.equal(pool.explain("b").queuePosition, 1);
    assert.equal(pool.explain("a").queuePosition, 2);
  });

  it("say where it stands, once it does", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    const { summary, host, queuePosition } = pool.explain("a");
    assert.equal(summary, "it stands on hosts/mac-1 and is RUNNING");
    assert.equal(host, "mac-1");
    assert.equal(queuePosition, 0);
    assert.equal(pool.plan().summary, "it would be placed on hosts/mac-1 now");
  });

  it("say when it is placed again after a refusal, and why not now", async () => {
    const host = await pool.addHost("mac-1");
    host.next("create", { kind: "refuse" });
    await pool.create("a");
    assert.match(pool.explain("a").summary, /: it is placed again in 1 s, since the test made the create fail$/);
  });

  it("do not blame hosts that have room for a VM that is about to be placed", async () => {
    await pool.addHost("mac-1");
    const reply = pool.engine.submit({
      type: "vm-create",
      id: asVmId("a"),
      uid: uidFor("a"),
      spec: vmSpec(),
    });
    assert.match(pool.explain("a").summary, /: a host has room, and is about to be chosen$/);
    await reply;
  });
});
