import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { runPool } from "../chaos/pool/pool-run.ts";

describe("a pool whose server, agents, links and local APIs are killed, frozen and cut off while builds ask for VMs", () => {
  it("accounts for every create that it acknowledged, and leaves nothing on the Macs", async function () {
    this.timeout(240_000);
    const report = await runPool({
      hosts: 10,
      vms: 100,
      durationMs: 12_000,
      seed: 7,
      serverPauseMs: 4_000,
      hostPauseMs: 6_000,
      losesHosts: false,
      settleMaxMs: 60_000,
    });
    assert.deepEqual(report.complaints, []);
    assert.deepEqual(report.failures, {});
    assert.equal(report.created, 100);
    assert.ok(report.ran > 80, `only ${report.ran} VMs came up`);
    const kinds = Object.keys(report.faults);
    for (const kind of ["server killed", "agent killed", "link", "local API"]) {
      assert.ok(
        kinds.some((name) => name.startsWith(kind)),
        `no fault of the kind "${kind}" struck: ${kinds.join(", ")}`,
      );
    }
  });
});
