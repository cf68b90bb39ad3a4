import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { runKillRounds } from "../chaos/server/kill-rounds.ts";

describe("a server that is killed with SIGKILL under the load of 64 clients, again and again", () => {
  it("loses nothing that was acknowledged, and no VM is made twice", async function () {
    this.timeout(60_000);
    const report = await runKillRounds({ rounds: 4, clients: 64, hosts: 16, seed: 11 });
    assert.equal(report.rounds, 4);
    assert.ok(report.acknowledged > 100, `only ${report.acknowledged} changes were acknowledged`);
    assert.ok(report.made > 10, `only ${report.made} VMs were made`);
  });
});
