import assert from "node:assert/strict";
import type { DurableBatch } from "../../../../server/pool/changes.ts";
import { StoreError } from "../../../../server/storage/store.ts";
import { MeridianError } from "../../../../shared/errors.ts";
import { asVmId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { vmCreate, vmWant } from "../../../support/pool/specs.ts";

const tooLarge = { resources: { cpuCount: 100, memoryMib: 0, diskMib: 0 } };

/** A store that acknowledges nothing until the test says so. */
function holdCommits(pool: PoolDriver): () => void {
  const gate = Promise.withResolvers<void>();
  pool.store.faults = { afterDurable: () => gate.promise };
  return () => {
    pool.store.faults = {};
    gate.resolve();
  };
}

/** Whether the promise has been settled by now. */
async function isSettled(pool: PoolDriver, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  await pool.settle();
  return settled;
}

describe("durability", () => {
  let pool: PoolDriver;
  beforeEach(async () => {
    pool = await PoolDriver.open();
  });

  it("answers a change only when the store has acknowledged it", async () => {
    const release = holdCommits(pool);
    const reply = pool.engine.submit(vmCreate("a"));
    assert.equal(await isSettled(pool, reply), false);
    release();
    assert.equal((await reply).id, "a");
  });

  it("answers a read only when what it saw is durable", async () => {
    const release = holdCommits(pool);
    const reply = pool.engine.submit(vmCreate("a"));
    const read = pool.engine.read((view) => view.vms.get(asVmId("a"))?.state);
    assert.equal(await isSettled(pool, read), false);
    release();
    await reply;
    assert.equal(await read, "PENDING");
  });

  it("answers a read that throws only when what it saw is durable", async () => {
    const release = holdCommits(pool);
    const reply = pool.engine.submit(vmCreate("a"));
    const read = pool.engine.read(() => {
      throw new MeridianError("RESOURCE_EXISTS", "it is there");
    });
    assert.equal(await isSettled(pool, read), false);
    release();
    await reply;
    await assert.rejects(read, { reason: "RESOURCE_EXISTS" });
  });

  it("refuses only when what the refusal tells of is durable", async () => {
    const release = holdCommits(pool);
    const reply = pool.engine.submit(vmCreate("a"));
    const refusal = pool.engine.submit(vmCreate("a"));
    assert.equal(await isSettled(pool, refusal), false);
    release();
    await reply;
    await assert.rejects(refusal, { reason: "RESOURCE_EXISTS" });
  });

  it("neither tells followers nor listeners before the store has acknowledged", async () => {
    const heard: number[] = [];
    pool.engine.onDurable(({ revision }) => heard.push(revision));
    const { revision } = pool.view();
    const follower = pool.engine.follow(revision, new AbortController().signal)[Symbol.asyncIterator]();
    const next = follower.next();
    const release = holdCommits(pool);
    const reply = pool.engine.submit(vmCreate("a"));
    assert.equal(await isSettled(pool, next), false);
    assert.deepEqual(heard, []);
    release();
    await reply;
    assert.equal((await next).value?.revision, revision + 1);
    assert.deepEqual(heard, [revision + 1]);
  });

  it("tells listeners before it answers, and those that are cancelled not at all", async () => {
    const order: string[] = [];
    pool.engine.onDurable(() => order.push("told"));
    pool.engine.onDurable(() => order.push("never")).cancel();
    await pool.engine.submit(vmCreate("a")).then(() => order.push("answered"));
    assert.deepEqual(order, ["told", "answered"]);
  });

  it("makes many changes durable together, while one batch is being synced", async () => {
    const before = pool.batches.length;
    const replies = Array.from({ length: 500 }, (_, index) => pool.engine.submit(vmCreate(`vm-${index}`, tooLarge)));
    await Promise.all(replies);
    assert.equal(pool.batches.length - before, 1);
    const release = holdCommits(pool);
    const first = pool.engine.submit(vmWant("vm-0", "deleted"));
    await pool.settle();
    const others = Array.from({ length: 499 }, (_, index) => pool.engine.submit(vmWant(`vm-${index + 1}`, "deleted")));
    await pool.settle();
    release();
    await Promise.all([first, ...others]);
    assert.equal(pool.batches.length - before, 3);
  });

  it("counts its revision up by one a batch, and marks every record with the revision of its batch", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    await pool.submit(vmWant("a", "deleted"));
    for (const [index, batch] of pool.batches.entries()) {
      assert.equal(batch.revision, index + 1);
      for (const { kind, after } of batch.changes) {
        if (after !== undefined && "revision" in after) assert.equal(after.revision, batch.revision, kind);
      }
    }
    assert.equal(pool.disk.contents().revision, pool.batches.length);
  });

  it("shows each record once a batch, from what was before it to what is after it", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    const last = new Map<string, unknown>();
    for (const { changes } of pool.batches) {
      const keys = changes.map(({ kind, id }) => `${kind}/${id}`);
      assert.equal(new Set(keys).size, keys.length);
      for (const { kind, id, before, after } of changes) {
        assert.equal(before, last.get(`${kind}/${id}`));
        last.set(`${kind}/${id}`, after);
      }
    }
  });

  it("commits nothing for an event that changes nothing", async () => {
    const host = await pool.addHost("mac-1");
    const { revision } = pool.view();
    assert.equal(await host.heartbeat(), true);
    assert.equal(pool.view().revision, revision);
  });

  it("ends when the store fails: whoever waits is told, and nothing later is taken", async () => {
    await pool.create("there", tooLarge);
    const failure = new StoreError("full", "no room");
    pool.store.faults = { beforeDurable: () => Promise.reject(failure) };
    const ended = assert.rejects(pool.engine.ended, failure);
    const change = pool.engine.submit(vmCreate("a"));
    const read = pool.engine.read(({ revision }) => revision);
    const refusal = pool.engine.submit(vmCreate("a"));
    await Promise.all(
      [change, read, refusal].map((promise) => assert.rejects(promise, { reason: "SERVER_NOT_SERVING" })),
    );
    await ended;
    await assert.rejects(pool.engine.submit(vmCreate("b")), { reason: "SERVER_NOT_SERVING" });
    await assert.rejects(
      pool.engine.read(() => 0),
      { reason: "SERVER_NOT_SERVING" },
    );
    assert.equal(pool.clock.timerCount, 0);
    await pool.engine.close();
    const { entries } = pool.disk.contents();
    assert.deepEqual(
      entries.filter(({ key }) => key.startsWith("vm/")).map(({ key }) => key),
      ["vm/there"],
    );
  });

  it("ends, and leaves nobody waiting, when a listener throws", async () => {
    pool.engine.onDurable(() => {
      throw new Error("a mistake");
    });
    const ended = assert.rejects(pool.engine.ended, /a mistake/);
    await assert.rejects(pool.engine.submit(vmCreate("a")), { reason: "SERVER_NOT_SERVING" });
    await ended;
  });

  it("ends, and leaves nobody waiting, when an event meets an assertion", async () => {
    const release = holdCommits(pool);
    const first = pool.engine.submit(vmCreate("a"));
    await pool.settle();
    const ended = assert.rejects(pool.engine.ended, /unexpected event/);
    // The cast makes the mistake that the types rule out.
    const broken = pool.engine.submit({ type: "nonsense" } as unknown as ReturnType<typeof vmCreate>);
    await assert.rejects(broken, { reason: "SERVER_NOT_SERVING" });
    await ended;
    release();
    await assert.rejects(first, { reason: "SERVER_NOT_SERVING" });
  });

  it("makes durable what was applied when it is closed, takes nothing later, and keeps no timer", async () => {
    const release = holdCommits(pool);
    const first = pool.engine.submit(vmCreate("a", { pendingTimeoutMs: 60_000 }));
    await pool.settle();
    const second = pool.engine.submit(vmCreate("b"));
    const closing = pool.engine.close();
    assert.equal(await isSettled(pool, closing), false);
    await assert.rejects(pool.engine.submit(vmCreate("c")), { reason: "SERVER_NOT_SERVING" });
    release();
    await Promise.all([first, second, closing, pool.engine.close(), pool.engine.ended]);
    const { revision, entries } = pool.disk.contents();
    assert.deepEqual(
      entries.filter(({ key }) => key.startsWith("vm/")).map(({ key }) => key),
      ["vm/a", "vm/b"],
    );
    assert.equal(pool.clock.timerCount, 0);
    await pool.settle();
    assert.equal(pool.disk.contents().revision, revision);
  });

  it("closes without an error when the store fails meanwhile", async () => {
    pool.store.faults = { beforeDurable: () => Promise.reject(new StoreError("failed", "no disk")) };
    const change = assert.rejects(pool.engine.submit(vmCreate("a")), { reason: "SERVER_NOT_SERVING" });
    await pool.engine.close();
    await change;
    await assert.rejects(pool.engine.ended, { kind: "failed" });
  });

  it("sends commands that had not ended again under the same id after a restart", async () => {
    const host = await pool.addHost("mac-1");
    host.next("create", { kind: "accept" });
    await pool.create("a");
    const sent = pool.vm("a").command;
    const next = await pool.restart();
    const again = next.newHost("mac-1");
    await next.connect(again);
    assert.deepEqual(again.received.map(({ id }) => id).slice(0, 1), [sent?.id]);
    assert.equal(next.vm("a").state, "RUNNING");
  });

  it("goes on after a restart with what was planned and not told yet", async () => {
    await pool.create("a");
    const next = await pool.restart();
    await next.addHost("mac-1");
    assert.equal(next.vm("a").state, "RUNNING");
  });

  it("never goes back in time, though the machine's clock does", async () => {
    await pool.create("a");
    const createdMs = pool.vm("a").createTimeMs;
    pool.clock.setWall(1000);
    assert.ok(pool.engine.nowMs() >= createdMs);
    const next = await pool.restart();
    assert.ok(next.engine.nowMs() >= createdMs);
  });

  it("keeps a batch that it tells of as it was, whatever happens later", async () => {
    await pool.addHost("mac-1");
    await pool.create("a");
    const kept: readonly DurableBatch[] = [...pool.batches];
    const before = JSON.stringify(kept);
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(JSON.stringify(kept), before);
  });
});
