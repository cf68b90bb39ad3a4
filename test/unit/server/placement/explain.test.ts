import assert from "node:assert/strict";
import { waitingSentence } from "../../../../server/placement/explain.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { sized, uidFor, vmSpec } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

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
    const sentence = "2 hosts have too few CPUs free, 1 host is cordoned";
    assert.equal(pool.explain("a").summary, `waiting 3 min, first of 1 in the queue: ${sentence}`);
    assert.equal(waitingSentence(pool.view(), pool.vm("a"), pool.engine.nowMs()), `waiting 3 min: ${sentence}`);
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
