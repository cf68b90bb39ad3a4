import assert from "node:assert/strict";
import {
  deletedRecordsMax,
  historyRetentionMs,
  retryDelayMs,
  retryMaxMs,
  timelineMax,
} from "../../../../server/pool/limits.ts";
import { asUid } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { vmCreate, vmWant } from "../../../support/pool/specs.ts";

describe("the bounds of the pool", () => {
  let pool: PoolDriver;
  beforeEach(async () => {
    pool = await PoolDriver.open();
  });
  afterEach(() => pool.close());

  it("keep the first and the newest entries of a long timeline", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    for (let count = 0; count < 40; count += 1) {
      await pool.submit(vmWant("a", "stopped"));
      await pool.submit(vmWant("a", "running"));
    }
    const { timeline } = pool.vm("a");
    assert.equal(timeline.length, timelineMax);
    assert.equal(timeline[0]?.state, "PENDING");
    assert.deepEqual(
      timeline.slice(-4).map(({ state }) => state),
      ["STOPPING", "STOPPED", "STARTING", "RUNNING"],
    );
  });

  it("forget the oldest deleted VMs first, and what was due of them", async () => {
    for (let from = 0; from <= deletedRecordsMax; from += 1000) {
      const names = Array.from({ length: 1000 }, (_, index) => from + index);
      await Promise.all(names.map((number) => pool.engine.submit(numbered(number))));
      await Promise.all(names.map((number) => pool.engine.submit(vmWant(`vm-${number}`, "deleted"))));
    }
    assert.equal(pool.view().vms.size, deletedRecordsMax);
    assert.equal(pool.view().vms.has(numbered(0).id), false);
    assert.equal(pool.view().vms.has(numbered(1000).id), true);
    await pool.advance(11 * 60_000);
    assert.equal(pool.view().vms.size, 0);
    // What is due still is the end of the history alone.
    const { nextMs } = pool.view().deadlines;
    assert.ok(nextMs !== undefined && nextMs > pool.engine.nowMs() + historyRetentionMs - 3_600_000);
  });

  it("let pauses between tries grow to a minute and no further", () => {
    assert.deepEqual([0, 1, 2, 3].map(retryDelayMs), [1000, 2000, 4000, 8000]);
    assert.equal(retryDelayMs(1_000_000), retryMaxMs);
  });
});

function numbered(number: number): ReturnType<typeof vmCreate> {
  return vmCreate(`vm-${number}`, { uid: asUid(String(number).padStart(32, "0")) });
}
