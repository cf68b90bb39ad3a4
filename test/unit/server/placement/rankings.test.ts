import assert from "node:assert/strict";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { HostRankings } from "../../../../server/placement/rankings.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import { shapeOf } from "../../../../server/pool/shape.ts";
import { asVmId } from "../../../../shared/ids.ts";
import { hostConnected } from "../../../support/pool/hosts.ts";
import { templateCreate, type VmCreateFields, vmCreate } from "../../../support/pool/specs.ts";

let pool: Pool;
let rankings: HostRankings;

beforeEach(() => {
  pool = new Pool(0);
  applyEvent(pool, templateCreate("linux"), 1);
  for (const name of ["mac-1", "mac-2"]) applyEvent(pool, hostConnected(name), 1);
  rankings = new HostRankings(pool);
});

function best(name: string, fields: VmCreateFields): string | undefined {
  applyEvent(pool, vmCreate(name, fields), 1);
  const vm = pool.vms.get(asVmId(name)) ?? assert.fail();
  return rankings.best(vm, shapeOf(vm));
}

describe("rankings of hosts", () => {
  it("are shared by VMs that every host would score alike", () => {
    best("a", { labels: { build: "1" }, priority: 10 });
    best("b", { labels: { build: "2" }, priority: 90, project: "other" });
    assert.equal(rankings.size, 1);
  });

  it("are apart for VMs that a host would score differently", () => {
    best("a", {});
    best("b", { placement: { strategy: "spread" } });
    best("c", { placement: { preferred: [{ key: "disk", operator: "exists", values: [] }] } });
    best("d", { placement: { spreadKey: "build" }, labels: { build: "1" } });
    best("e", { placement: { spreadKey: "build" }, labels: { build: "2" } });
    assert.equal(rankings.size, 5);
  });

  it("are bounded in number: what was not asked for the longest is dropped, and made again", () => {
    for (let count = 0; count < 1000; count += 1) {
      assert.equal(best(`vm-${count}`, { resources: { cpuCount: 0, memoryMib: 1 + count, diskMib: 0 } }), "mac-1");
    }
    assert.ok(rankings.size <= 32, `${rankings.size} rankings`);
    assert.equal(best("again", { resources: { cpuCount: 0, memoryMib: 1, diskMib: 0 } }), "mac-1");
  });

  it("hear of a host's move before the next answer", () => {
    assert.equal(best("a", {}), "mac-1");
    const host = pool.hosts.get(hostConnected("mac-1").id) ?? assert.fail();
    pool.putHost({ ...host, spec: { ...host.spec, schedulable: false } });
    rankings.noteMoved(host.id);
    assert.equal(best("b", {}), "mac-2");
  });
});
