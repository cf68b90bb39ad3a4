import assert from "node:assert/strict";
import { DialCounter } from "../../../../agent/link/dial-counter.ts";
import { asUid, type IdSource } from "../../../../shared/ids.ts";
import { SimulatedDisk } from "../../../support/agent/simulated-disk.ts";

describe("the count of dials", () => {
  let disk: SimulatedDisk;
  let idCount: number;
  const ids: IdSource = {
    uid: () => asUid(String(++idCount).padStart(32, "0")),
    suffix: () => "",
  };

  beforeEach(() => {
    disk = new SimulatedDisk();
    idCount = 0;
  });

  const start = async (): Promise<DialCounter> => DialCounter.open(await disk.journal(), ids);

  it("goes on over a restart", async () => {
    const first = await start();
    const { series } = first.next();
    assert.deepEqual(first.next(), { series, run: 1, dial: 2 });
    const second = await start();
    assert.deepEqual(second.next(), { series, run: 2, dial: 1 });
    await (await disk.journal()).write({ kind: "epoch", epoch: 3 });
    assert.deepEqual((await start()).next(), { series, run: 3, dial: 1 });
  });

  it("begins a series when the journal is lost", async () => {
    const { series } = (await start()).next();
    disk.bytes = undefined;
    const next = (await start()).next();
    assert.notEqual(next.series, series);
    assert.equal(next.run, 1);
  });

  it("uses no number that a later start might use as well", async () => {
    const { series } = (await start()).next();
    const journal = await disk.journal();
    disk.isFull = true;
    const forgotten = (await DialCounter.open(journal, ids)).next();
    await journal.close();
    disk.isFull = false;
    const known = (await start()).next();
    assert.deepEqual(known, { series, run: 2, dial: 1 });
    assert.notEqual(forgotten.series, series);
  });

  it("begins a series when it is told to, which later starts go on with", async () => {
    const counter = await start();
    const old = counter.next();
    counter.beginSeries();
    const { series, run, dial } = counter.next();
    assert.notEqual(series, old.series);
    assert.deepEqual([run, dial], [1, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual((await start()).next(), { series, run: 2, dial: 1 });
  });
});
