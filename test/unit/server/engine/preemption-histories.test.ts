/**
 * What preemption promises, as properties of random histories of a small pool that is full most of the time. What may happen is
 * worked out here from the batches that become durable, and from the records alone.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { DurableBatch } from "../../../../server/pool/changes.ts";
import type { VmRecord } from "../../../../server/pool/vm.ts";
import { MeridianError } from "../../../../shared/errors.ts";
import { asVmId } from "../../../../shared/ids.ts";
import { checkPlanned, checkPool } from "../../../support/pool/pool-check.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failRetryably, hold, succeed } from "../../../support/pool/scripted-host.ts";
import { sized, vmCreate, vmWant } from "../../../support/pool/specs.ts";

const secondMs = 1000;
const hosts = ["mac-1", "mac-2"];
const on = { enabled: true, afterWaitMs: 2 * secondMs, noticeMs: 10 * secondMs };

type Step =
  | {
      readonly kind: "create";
      readonly cpuCount: number;
      readonly priority: number;
      readonly isPreemptible: boolean;
      readonly retryAttempts: number;
      readonly isTimed: boolean;
    }
  | { readonly kind: "delete" | "mark"; readonly vm: number }
  | { readonly kind: "priority"; readonly vm: number; readonly priority: number }
  | { readonly kind: "wait"; readonly spanMs: number }
  | { readonly kind: "settings"; readonly isOn: boolean; readonly victimsPerMinute: number }
  | { readonly kind: "host"; readonly host: string; readonly what: (typeof hostDoings)[number] }
  | { readonly kind: "reopen" };

const hostDoings = ["cordon", "uncordon", "uncordon", "leave", "return", "hold", "fail", "obey", "obey"] as const;
const vm = fc.nat(15);

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("create"),
        cpuCount: fc.constantFrom(2, 4, 6, 12),
        priority: fc.constantFrom(10, 20, 50, 90),
        isPreemptible: fc.constantFrom(true, true, false),
        retryAttempts: fc.constantFrom(0, 1),
        isTimed: fc.constantFrom(false, false, true),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete"), vm }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("mark"), vm }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("priority"), vm, priority: fc.constantFrom(10, 50, 90) }) },
    {
      weight: 10,
      arbitrary: fc.record({ kind: fc.constant("wait"), spanMs: fc.constantFrom(1000, 3000, 5000, 12_000, 40_000) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("settings"),
        isOn: fc.constantFrom(true, true, false),
        victimsPerMinute: fc.constantFrom(1, 3, 100),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("host"),
        host: fc.constantFrom(...hosts),
        what: fc.constantFrom(...hostDoings),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
  ),
  { minLength: 20, maxLength: 80, size: "max" },
);

const seen = { given: 0, over: 0, spared: 0, anew: 0 };

/** What a batch tells of preemption, held against what it may do. `nowMs` is not before any event of the batch. */
function checkBatch(pool: PoolDriver, batch: DurableBatch): void {
  const nowMs = pool.engine.nowMs();
  for (const change of batch.changes) {
    if (change.kind !== "vm" || change.after === undefined) continue;
    const { before, after } = change;
    const [was, is] = [before?.notice, after.notice];
    if (is !== undefined && was?.uid !== is.uid) {
      assert.notEqual(is.isOver, true, `${after.id} was ended when it was told`);
      // A batch can hold the change that marks it as well, or that takes the mark back.
      const isMarked = before?.spec.preemptible === true || after.spec.preemptible === true;
      assert.ok(isMarked, `${after.id} is not marked`);
      assert.equal(is.endMs - is.sinceMs, on.noticeMs);
      const other = pool.view().vms.get(is.vm);
      if (other?.uid === is.uid) assert.ok(after.spec.priority < other.spec.priority, `${after.id} is as urgent`);
      seen.given += 1;
    }
    if (is?.isOver === true && was?.isOver !== true) {
      assert.ok(was !== undefined && nowMs >= was.endMs, `the notice of ${after.id} had not run`);
      seen.over += 1;
    }
    if (was !== undefined && was.isOver !== true && is === undefined) seen.spared += 1;
    const endedAsVictim = after.endReason === "Preempted" && before?.endReason !== "Preempted";
    if (endedAsVictim) assert.ok((was ?? is) !== undefined, `${after.id} ended without notice`);
    if (before?.state === "DELETING" && after.state === "PENDING") {
      assert.equal(was?.isOver, true, `${after.id} waits anew without having given way`);
      seen.anew += 1;
    }
  }
}

async function play(history: readonly Step[]): Promise<PoolDriver> {
  let pool = await PoolDriver.open();
  let looked = 0;
  await pool.set({ preemption: on });
  for (const host of hosts) await pool.addHost(host);
  for (const [index, step] of history.entries()) {
    try {
      pool = await take(pool, step, index);
    } catch (error) {
      assert.ok(error instanceof MeridianError, String(error));
      assert.notEqual(error.reason, "SERVER_NOT_SERVING", `the engine ended at step ${index}`);
    }
    if (step.kind === "reopen") looked = 0;
    for (const batch of pool.batches.slice(looked)) checkBatch(pool, batch);
    looked = pool.batches.length;
    checkPool(pool.view());
    checkPlanned(pool.view());
  }
  return pool;
}

async function take(pool: PoolDriver, step: Step, index: number): Promise<PoolDriver> {
  switch (step.kind) {
    case "create": {
      const { cpuCount, priority, isPreemptible, retryAttempts, isTimed } = step;
      const mark = isPreemptible ? ({ preemptible: true } as const) : {};
      const fields = { ...sized(cpuCount), priority, retryAttempts, ...mark };
      await pool.submit(vmCreate(`vm-${index % 16}`, { ...fields, ...(isTimed ? { pendingTimeoutMs: 8000 } : {}) }));
      return pool;
    }
    case "delete":
      await pool.submit(vmWant(`vm-${step.vm}`, "deleted"));
      return pool;
    case "mark":
    case "priority": {
      const record = pool.view().vms.get(asVmId(`vm-${step.vm}`));
      if (record === undefined) return pool;
      const { preemptible, ...spec } = record.spec;
      const changed =
        step.kind === "priority"
          ? { ...record.spec, priority: step.priority }
          : preemptible === true
            ? spec
            : { ...spec, preemptible: true as const };
      await pool.submit({ type: "vm-update", id: record.id, baseGeneration: record.generation, spec: changed });
      return pool;
    }
    case "wait":
      await pool.advance(step.spanMs);
      return pool;
    case "settings":
      await pool.set({ preemption: { ...on, enabled: step.isOn, victimsPerMinute: step.victimsPerMinute } });
      return pool;
    case "host":
      await doOnHost(pool, step.host, step.what);
      return pool;
    case "reopen":
      return await reopen(pool);
    default:
      return step satisfies never;
  }
}

async function doOnHost(pool: PoolDriver, name: string, what: (typeof hostDoings)[number]): Promise<void> {
  const host = pool.host(name);
  if (what === "cordon" || what === "uncordon") await pool.changeHost(name, { schedulable: what === "uncordon" });
  else if (what === "leave") await host.disconnect();
  else if (what === "return") await pool.connect(host);
  else host.always("delete", what === "hold" ? hold : what === "fail" ? failRetryably : succeed);
}

/** The Macs go on meanwhile. */
async function reopen(pool: PoolDriver): Promise<PoolDriver> {
  const opened = await pool.restart();
  for (const name of hosts) {
    const host = opened.newHost(name);
    for (const [vmName, shown] of pool.host(name).vms) host.vms.set(vmName, shown);
    await opened.connect(host);
  }
  return opened;
}

describe("histories in which VMs give way", () => {
  it("end nobody who had no notice or is as urgent, tell no more than are needed, and leave nothing behind", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const pool = await play(history);
        // Whoever is promised room gets it, once the Macs do what they are told and everybody may be placed.
        await pool.set({ preemption: on });
        for (const name of hosts) {
          pool.host(name).always("delete", succeed);
          await pool.changeHost(name, { schedulable: true });
          await pool.connect(pool.host(name));
        }
        const isPromised = ({ state, reservation }: VmRecord): boolean =>
          state === "PENDING" && reservation?.noticeEndMs !== undefined;
        const promised = [...pool.view().vms.values()].filter(isPromised);
        await pool.advance(120 * secondMs);
        for (const { id, uid, spec } of promised) {
          const after = pool.view().vms.get(id);
          if (spec.pendingTimeoutMs > 0 || after?.uid !== uid) continue;
          assert.ok(after.attempt > 0, `${id} was promised room and has none: ${pool.explain(id).summary}`);
        }
        checkPool(pool.view());
        checkPlanned(pool.view());
        await pool.close();
      }),
      { numRuns: 250 },
    );
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 5, `only ${count} were ${what}`);
  }).timeout(40_000);
});
