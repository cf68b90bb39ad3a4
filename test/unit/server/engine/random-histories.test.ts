import assert from "node:assert/strict";
import * as fc from "fast-check";
import { MeridianError } from "../../../../shared/errors.ts";
import { checkPlanned, checkPool } from "../../../support/pool/pool-check.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import {
  anyStep,
  eventOf,
  firstSteps,
  macosTemplate,
  obedienceEvents,
  returnEvents,
  type Step,
} from "../../../support/pool/random-history.ts";
import { templateCreate } from "../../../support/pool/specs.ts";

const histories = fc.array(anyStep, { minLength: 20, maxLength: 120, size: "max" });

/** Runs a history, looking at the pool after every step; nothing that comes may end the engine. */
async function play(steps: readonly Step[], check: (pool: PoolDriver) => void): Promise<PoolDriver> {
  let pool = await PoolDriver.open();
  await pool.submit(
    templateCreate(macosTemplate, { guestOs: "macos", source: { kind: "host-vm", vmName: "golden-macos" } }),
  );
  for (const [index, step] of [...firstSteps, ...steps].entries()) {
    if (step.kind === "reopen") pool = await pool.restart();
    else if (step.kind === "wait") await pool.advance(step.spanMs, { heartbeatMs: Number.POSITIVE_INFINITY });
    else {
      const event = eventOf(pool.view(), step, index);
      if (event === undefined) continue;
      await pool.submit(event).catch((error: unknown) => {
        assert.ok(error instanceof MeridianError, String(error));
        assert.notEqual(error.reason, "SERVER_NOT_SERVING", `the engine ended at step ${index}`);
      });
    }
    check(pool);
  }
  return pool;
}

describe("random histories", () => {
  it("never break a rule of capacity, leave a VM to itself, or end the engine", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const pool = await play(steps, (driver) => {
          checkPool(driver.view());
          checkPlanned(driver.view());
        });
        await pool.close();
      }),
      { numRuns: 1000 },
    );
  }).timeout(30_000);

  it("settle once hosts are back and do what they are told: every VM is as wanted, waits, failed or is gone", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const pool = await play(steps, () => {});
        for (const event of returnEvents(pool.view())) await pool.submit(event);
        // Only until all has settled: what failed is deleted some time later, and that begins at any moment.
        for (let round = 0; round < 30 && unsettled(pool).length > 0; round += 1) {
          for (const event of obedienceEvents(pool.view())) await pool.submit(event);
          await pool.advance(10_000, { heartbeatMs: Number.POSITIVE_INFINITY });
        }
        assert.deepEqual(unsettled(pool), []);
        await pool.close();
      }),
      { numRuns: 400 },
    );
  }).timeout(30_000);

  it("give the same records byte for byte when they are repeated, and the same pool when it is opened again", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const first = await play(steps, () => {});
        const second = await play(steps, () => {});
        await second.close();
        assert.deepEqual(first.disk.contents(), second.disk.contents());
        const before = first.view();
        const after = (await first.restart()).view();
        checkPool(after);
        assert.equal(JSON.stringify(sortedRecords(after)), JSON.stringify(sortedRecords(before)));
      }),
      { numRuns: 200 },
    );
  }).timeout(30_000);
});

const restingStates = {
  running: "RUNNING",
  stopped: "STOPPED",
  suspended: "SUSPENDED",
  paused: "PAUSED",
  deleted: "DELETED",
} as const;

function sortedRecords(pool: ReturnType<PoolDriver["view"]>): unknown {
  const sorted = <R extends { readonly id: string }>(records: Iterable<R>): readonly R[] =>
    [...records].sort((a, b) => (a.id < b.id ? -1 : 1));
  return [
    sorted(pool.hosts.values()),
    sorted(pool.vms.values()),
    sorted(pool.templates.values()),
    [...pool.waiting].sort(),
  ];
}

/** What is not as it shall be in the end, in words. */
function unsettled(pool: PoolDriver): readonly string[] {
  const vms = [...pool.view().vms.values()]
    .filter(({ state, spec }) => state !== restingStates[spec.wanted] && state !== "FAILED" && state !== "PENDING")
    .map(({ id, state, spec }) => `vms/${id} is ${state}, and wanted ${spec.wanted}`);
  const orphans = [...pool.view().hosts.values()]
    .filter(({ orphans }) => orphans?.some(({ removeAtMs }) => removeAtMs <= pool.engine.nowMs()))
    .map(({ id }) => `an orphan of hosts/${id} is still there`);
  return [...vms, ...orphans];
}
