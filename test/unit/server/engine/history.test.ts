import assert from "node:assert/strict";
import type { HistoryEntry } from "../../../../server/pool/history.ts";
import { historyRetentionMs } from "../../../../server/pool/limits.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";

function entriesOf(pool: PoolDriver): readonly HistoryEntry[] {
  return [...pool.view().history.pagesFrom(0)].flatMap(({ entries }) => entries);
}

describe("the history of a pool", () => {
  let pool: PoolDriver;
  beforeEach(async () => {
    pool = await PoolDriver.open();
  });
  afterEach(() => pool.close());

  it("tells every move of a VM, in order, with its reason and host", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    await pool.settle();
    assert.equal(pool.vm("a").state, "RUNNING");
    const moves = entriesOf(pool).filter(({ resource }) => resource === "vms/a");
    assert.deepEqual(
      moves.map(({ from, to }) => [from, to]),
      pool.states("a").map((state, index, all) => [index === 0 ? undefined : all[index - 1], state]),
    );
    assert.deepEqual(moves.at(-1)?.host, "hosts/mac-1");
    assert.equal(moves[0]?.reason, pool.vm("a").timeline[0]?.reason);
    assert.equal(moves[0]?.project, pool.vm("a").spec.project);
  });

  it("tells of hosts that come, fall silent and are lost, and of conditions that change", async () => {
    await pool.addHost("mac-1");
    await pool.advance(60 * 60_000, { heartbeatMs: Number.POSITIVE_INFINITY });
    const moves = entriesOf(pool).filter(({ action }) => action === "host.state");
    assert.deepEqual(moves.map(({ to }) => to).slice(-2), ["DISCONNECTED", "LOST"]);
  });

  it("becomes durable in the batch of the change that it tells of, and is there after a restart", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    for (const { changes } of pool.batches) {
      const moved = changes.filter((change) => change.kind === "vm" && change.before?.state !== change.after?.state);
      const page = changes.find(({ kind }) => kind === "history");
      if (moved.length > 0) assert.notEqual(page, undefined, "a move without its history");
    }
    const before = entriesOf(pool);
    pool = await pool.restart();
    assert.deepEqual(entriesOf(pool).slice(0, before.length), before);
  });

  it("forgets what is too old", async () => {
    await pool.create("a");
    const first = pool.view().revision;
    await pool.advance(historyRetentionMs - 60_000);
    assert.equal(pool.view().history.completeAfter, 0);
    await pool.create("b");
    await pool.advance(120_000);
    assert.ok(pool.view().history.completeAfter >= first);
    assert.ok(!entriesOf(pool).some(({ resource, to }) => resource === "vms/a" && to === "PENDING"));
    assert.ok(entriesOf(pool).some(({ resource }) => resource === "vms/b"));
  });
});
