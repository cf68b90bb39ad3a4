/**
 * A pool in which VMs only wait, run for a while and go, on a clock of its own: as much of a pool as the order of the queue can
 * be seen in, so that a history of months takes a moment. Decisions are the planner's, applied as the engine does.
 */
import assert from "node:assert/strict";
import { applyEvent } from "../../../server/apply/apply-event.ts";
import { PlacementPlanner } from "../../../server/planners/waiting.ts";
import type { HostConnected } from "../../../server/pool/events/host-reports.ts";
import { OrderedHeap } from "../../../server/pool/ordered-heap.ts";
import { Pool } from "../../../server/pool/pool.ts";
import type { ProjectSpec } from "../../../server/pool/project.ts";
import type { VmRecord } from "../../../server/pool/vm.ts";
import { required } from "../../../shared/assert.ts";
import { asProjectId, asVmId } from "../../../shared/ids.ts";
import { hostConnected } from "./hosts.ts";
import { defaultTemplate, templateCreate, uidFor, type VmSpecFields, vmCreate } from "./specs.ts";

interface End {
  readonly id: string;
  readonly atMs: number;
}

export class QueueRun {
  readonly pool = new Pool(0);
  timeMs = 1_000_000;
  /** When each VM was placed. */
  readonly placedAtMs = new Map<string, number>();
  private readonly planner = new PlacementPlanner(this.pool);
  private readonly staysMs = new Map<string, number>();
  private readonly ends = new OrderedHeap<End>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.id < b.id),
    ({ id }) => id,
  );

  constructor() {
    applyEvent(this.pool, templateCreate(defaultTemplate), this.timeMs);
  }

  addHost(name: string, fields: Partial<HostConnected> = {}): void {
    applyEvent(this.pool, hostConnected(name, fields), this.timeMs);
  }

  addProject(name: string, fields: Partial<ProjectSpec>): void {
    const spec = { displayName: "", weight: 1, quota: {}, labels: {}, ...fields };
    applyEvent(this.pool, { type: "project-create", id: asProjectId(name), uid: uidFor(name), spec }, this.timeMs);
  }

  /** Asks for a VM that goes when it has had a host for so long. */
  ask(name: string, stayMs: number, fields: VmSpecFields = {}): void {
    this.staysMs.set(name, stayMs);
    applyEvent(this.pool, vmCreate(name, fields), this.timeMs);
  }

  /** Lets time pass; what goes meanwhile makes room at once. */
  advanceTo(timeMs: number): void {
    this.place();
    for (let first = this.ends.first; first !== undefined && first.atMs <= timeMs; first = this.ends.first) {
      this.timeMs = first.atMs;
      this.ends.remove(first.id);
      this.end(first.id);
      this.place();
    }
    this.timeMs = timeMs;
  }

  /** Places all that can be placed now. */
  place(): void {
    for (let next = this.planner.next(this.timeMs); next !== undefined; next = this.planner.next(this.timeMs)) {
      assert.equal(applyEvent(this.pool, next, this.timeMs), true, "what was decided a moment ago holds");
      if (next.type === "vm-reserved") continue;
      const vm = required(this.pool.vms.get(next.id), "VM that was placed");
      this.pool.putVm({ ...vm, state: "RUNNING", command: undefined });
      this.placedAtMs.set(vm.id, this.timeMs);
      this.ends.add({ id: vm.id, atMs: this.timeMs + required(this.staysMs.get(vm.id), "stay") });
    }
    this.pool.dirtyVms.clear();
    this.pool.dirtyHosts.clear();
    this.pool.seal();
  }

  vm(name: string): VmRecord {
    return required(this.pool.vms.get(asVmId(name)), `VM ${name}`);
  }

  private end(name: string): void {
    const { id } = this.vm(name);
    this.pool.putVm({ ...this.vm(name), host: undefined, state: "DELETED", updateTimeMs: this.timeMs });
    this.pool.removeVm(id);
  }
}
