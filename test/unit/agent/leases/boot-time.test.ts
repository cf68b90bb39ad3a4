import assert from "node:assert/strict";
import type { LeaseRecord, MomentRecord } from "../../../../agent/journal/journal-record.ts";
import { leftOfLease } from "../../../../agent/leases/boot-time.ts";

const hourMs = 3_600_000;
const lease: LeaseRecord = {
  kind: "lease",
  hostVmName: "vm",
  vmUid: "uid",
  hostVmId: "",
  generation: 1,
  endsAtMs: 10 * hourMs,
  bootId: "boot-1",
  phase: "counting",
};
/** Two hours before the lease ends. */
const last: MomentRecord = { kind: "moment", bootId: "boot-1", atMs: 8 * hourMs, wallMs: 1_000 * hourMs };

describe("what is left of a lease", () => {
  it("is exact within one start of the Mac, whatever the wall clock says", () => {
    for (const wallMs of [0, 1_000_000 * hourMs]) {
      assert.equal(leftOfLease(lease, last, { bootId: "boot-1", nowMs: 9 * hourMs, wallMs }), hourMs);
    }
  });

  it("is shortened after a new start by the time that the wall clock says the Mac was off", () => {
    const after = (hours: number) => ({ bootId: "boot-2", nowMs: 5, wallMs: last.wallMs + hours * hourMs });
    assert.equal(leftOfLease(lease, last, after(0.5)), 1.5 * hourMs);
    assert.equal(leftOfLease(lease, last, after(3)), -hourMs);
  });

  it("is never more after a new start than when the Mac was last known to be up", () => {
    for (const wallMs of [0, last.wallMs - 5 * hourMs, last.wallMs]) {
      assert.equal(leftOfLease(lease, last, { bootId: "boot-2", nowMs: 5, wallMs }), 2 * hourMs);
    }
  });

  it("does not believe a wall clock that says that the Mac was off for a year", () => {
    const wallMs = last.wallMs + 366 * 24 * hourMs;
    assert.equal(leftOfLease(lease, last, { bootId: "boot-2", nowMs: 5, wallMs }), 2 * hourMs);
  });

  it("is nothing when nothing is known of its start of the Mac", () => {
    const now = { bootId: "boot-2", nowMs: 5, wallMs: 0 };
    assert.equal(leftOfLease(lease, undefined, now), 0);
    assert.equal(leftOfLease(lease, { ...last, bootId: "boot-0" }, now), 0);
  });

  it("is not taken for exact when the Mac's starts cannot be told apart", () => {
    const untold = { ...lease, bootId: "" };
    assert.equal(
      leftOfLease(untold, { ...last, bootId: "" }, { bootId: "", nowMs: 0, wallMs: last.wallMs + hourMs }),
      hourMs,
    );
  });
});
