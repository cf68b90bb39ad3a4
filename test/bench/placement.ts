/**
 * Placement by itself: decisions per second in one thread, without clients, agents, commands or storage. The pools are filled
 * by one VM after the other, as a burst does; only the decisions are timed, not their application.
 */
import { renderTable } from "../../cli/output/table.ts";
import { applyEvent } from "../../server/apply/apply-event.ts";
import { PlacementPlanner } from "../../server/planners/waiting.ts";
import { Pool } from "../../server/pool/pool.ts";
import { assert } from "../../shared/assert.ts";
import { hostConnected } from "../support/pool/hosts.ts";
import { defaultTemplate, templateCreate, vmCreate } from "../support/pool/specs.ts";
import { momentMs } from "./moment.ts";
import { median } from "./statistics.ts";

const hostCounts = [100, 1_000, 10_000, 100_000];
const runs = 5;
/** One run ends after so many decisions, or after this time. */
const decisionsMax = 2_000;
const runMaxMs = 1_000;
const nowMs = 1_000_000;

const rows = hostCounts.map((hosts) => {
  const rates = Array.from({ length: runs + 1 }, () => decisionsPerSecond(hosts)).slice(1);
  return { hosts, rates };
});
process.stdout.write(
  renderTable(
    rows,
    [
      { title: "HOSTS", text: ({ hosts }) => whole(hosts), align: "right" },
      { title: "DECISIONS/S", text: ({ rates }) => whole(median(rates)), align: "right" },
      {
        title: "SPREAD",
        text: ({ rates }) => `${whole(Math.min(...rates))}..${whole(Math.max(...rates))}`,
        align: "right",
      },
    ],
    { width: Number.POSITIVE_INFINITY, paint: (text) => text },
  ),
);

function decisionsPerSecond(hosts: number): number {
  const count = Math.min(decisionsMax, hosts * 2);
  const pool = waitingPool(hosts, count);
  const planner = new PlacementPlanner(pool);
  let elapsedMs = 0;
  let decisions = 0;
  while (decisions < count && elapsedMs < runMaxMs) {
    const startMs = momentMs();
    const placement = planner.next(nowMs);
    elapsedMs += momentMs() - startMs;
    assert(placement !== undefined, "a VM fits nowhere in a pool with room");
    applyEvent(pool, placement, nowMs);
    decisions += 1;
  }
  return (1000 * decisions) / elapsedMs;
}

/** A pool of empty hosts in which VMs wait. */
function waitingPool(hosts: number, vms: number): Pool {
  const pool = new Pool(0);
  applyEvent(pool, templateCreate(defaultTemplate), nowMs);
  for (let host = 0; host < hosts; host += 1) applyEvent(pool, hostConnected(`mac-${host}`), nowMs);
  for (let vm = 0; vm < vms; vm += 1) applyEvent(pool, vmCreate(`vm-${vm}`), nowMs);
  return pool;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
