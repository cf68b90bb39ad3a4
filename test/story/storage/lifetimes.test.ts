import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { required } from "../../../shared/assert.ts";
import { measureLifetimes, type Stretch } from "../../bench/lifetimes/measure.ts";

describe("a data directory over many lives of VMs", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lifetimes-"));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("holds as many records after eight thousand lives as after four thousand, since all else has been removed", async () => {
    const stretches: Stretch[] = [];
    // Ten minutes, for which records of deleted VMs are kept, are 3,000 lives here.
    const farm = { macs: 20, running: 50, endsPerSecond: 5 };
    for await (const stretch of measureLifetimes({ ...farm, directory, vms: 8000, stretches: 2 })) {
      stretches.push(stretch);
    }
    const [first, second] = stretches;
    const records = required(first, "first stretch").records;
    assert.ok(records >= 3000 && records < 4000, `${records} records`);
    assert.ok(required(second, "second stretch").records <= records * 1.1, `${second?.records} records`);
  });
});
