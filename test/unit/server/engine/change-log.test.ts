import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { ChangeLog } from "../../../../server/engine/change-log.ts";
import type { DurableBatch } from "../../../../server/pool/changes.ts";

/** A batch with so many changes that nobody looks into. */
function batch(revision: number, changeCount = 1): DurableBatch {
  const changes = Array.from(
    { length: changeCount },
    (_, index) => ({ kind: "vm", id: `vm-${index}`, before: undefined, after: undefined }) as const,
  );
  return { revision, changes };
}

function filledLog(newest: number, changesMax?: number): ChangeLog {
  const log = new ChangeLog(0, changesMax);
  for (let revision = 1; revision <= newest; revision += 1) log.append(batch(revision));
  return log;
}

async function take(iterator: AsyncGenerator<DurableBatch, void>, count: number): Promise<readonly number[]> {
  const revisions: number[] = [];
  while (revisions.length < count) {
    const { value } = await iterator.next();
    revisions.push(value?.revision ?? assert.fail("it ended"));
  }
  return revisions;
}

describe("the change log", () => {
  it("gives everything after a revision, once and in order, and goes on as more comes", async () => {
    const log = filledLog(5);
    const follower = log.follow(2, new AbortController().signal);
    assert.deepEqual(await take(follower, 3), [3, 4, 5]);
    const next = take(follower, 3);
    for (const revision of [6, 7, 8]) {
      log.append(batch(revision));
      await setImmediate();
    }
    assert.deepEqual(await next, [6, 7, 8]);
  });

  it("lets each follower go at its own pace", async () => {
    const log = filledLog(3);
    const quick = log.follow(0, new AbortController().signal);
    const slow = log.follow(0, new AbortController().signal);
    assert.deepEqual(await take(quick, 3), [1, 2, 3]);
    assert.deepEqual(await take(slow, 1), [1]);
    log.append(batch(4));
    assert.deepEqual(await take(slow, 3), [2, 3, 4]);
    assert.deepEqual(await take(quick, 1), [4]);
  });

  it("says that a revision is too old when what came after it is no longer kept", async () => {
    const log = filledLog(10, 3);
    await assert.rejects(log.follow(6, new AbortController().signal).next(), { reason: "REVISION_TOO_OLD" });
    assert.deepEqual(await take(log.follow(7, new AbortController().signal), 3), [8, 9, 10]);
  });

  it("says so of a revision from before the start, and of one that was never reached", async () => {
    const log = new ChangeLog(100);
    await assert.rejects(log.follow(99, new AbortController().signal).next(), { reason: "REVISION_TOO_OLD" });
    await assert.rejects(log.follow(101, new AbortController().signal).next(), {
      reason: "REVISION_TOO_OLD",
      message: /^revision 101 has not been reached here, only 100; /,
      options: { metadata: { revision: "101", newest: "100" } },
    });
  });

  it("tells a follower that it was too slow when what it has not read is dropped", async () => {
    const log = filledLog(3, 3);
    const follower = log.follow(0, new AbortController().signal);
    assert.deepEqual(await take(follower, 1), [1]);
    for (const revision of [4, 5, 6]) log.append(batch(revision));
    await assert.rejects(follower.next(), { reason: "WATCHER_TOO_SLOW" });
  });

  it("keeps the newest batch, however large it is", async () => {
    const log = filledLog(3, 3);
    log.append(batch(4, 50));
    assert.deepEqual(await take(log.follow(3, new AbortController().signal), 1), [4]);
    await assert.rejects(log.follow(2, new AbortController().signal).next(), { reason: "REVISION_TOO_OLD" });
  });

  it("keeps its place over thousands of batches that come and go", async () => {
    const log = new ChangeLog(0, 100);
    const follower = log.follow(0, new AbortController().signal);
    for (let revision = 1; revision <= 5000; revision += 1) {
      log.append(batch(revision));
      if (revision % 50 === 0) {
        const first = revision - 49;
        assert.deepEqual(
          await take(follower, 50),
          Array.from({ length: 50 }, (_, index) => first + index),
        );
      }
    }
  });

  it("ends a follower that waits when its signal is aborted, and when the log is closed", async () => {
    const log = filledLog(1);
    const controller = new AbortController();
    const aborted = log.follow(1, controller.signal).next();
    const closed = log.follow(1, new AbortController().signal).next();
    await setImmediate();
    controller.abort();
    assert.equal((await aborted).done, true);
    log.close();
    assert.equal((await closed).done, true);
  });

  it("ends at once for a signal that is aborted already", async () => {
    assert.equal((await filledLog(1).follow(0, AbortSignal.abort()).next()).done, true);
  });
});
