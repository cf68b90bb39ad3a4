/**
 * What placement promises, each as a property of random histories: pools in which VMs come and go, are refused, fail and are
 * changed, and in which hosts change in all that filters see. What may stand where is worked out here anew, from the records
 * alone and without the code that is tested.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { candidateOf, refusingFilter } from "../../../../server/placement/filters.ts";
import { PlacementPlanner } from "../../../../server/planners/waiting.ts";
import type { VmPlaced } from "../../../../server/pool/events/decisions.ts";
import { type HostRecord, hostLabels } from "../../../../server/pool/host.ts";
import { resolveImage, resolveResources } from "../../../../server/pool/image.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import { shapeOf } from "../../../../server/pool/shape.ts";
import type { VmRecord, VmSpec } from "../../../../server/pool/vm.ts";
import { asHostId } from "../../../../shared/ids.ts";
import {
  applyStep,
  type PlacementStep,
  placementSteps,
  placementTemplates,
  planSteps,
} from "../../../support/pool/placement-history.ts";
import { QueueRun } from "../../../support/pool/queue-run.ts";
import { sized, templateCreate, vmSpec } from "../../../support/pool/specs.ts";

const startMs = 1_000_000;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const histories = fc.array(placementSteps, { minLength: 20, maxLength: 120, size: "max" });

interface Watch {
  /** Before a VM is placed. */
  readonly placing?: (pool: Pool, vm: VmRecord, host: HostRecord) => void;
  /** After it was. */
  readonly placed?: (pool: Pool, host: HostRecord) => void;
  /** When nothing more is to be placed now. */
  readonly settled?: (pool: Pool) => void;
}

/** Plays a history to its end. Returns the pool, and all that was placed. */
function play(
  steps: readonly PlacementStep[],
  watch: Watch = {},
): { readonly pool: Pool; readonly placed: readonly VmPlaced[] } {
  const pool = new Pool(0);
  const planner = new PlacementPlanner(pool);
  const placed: VmPlaced[] = [];
  for (const template of placementTemplates) applyEvent(pool, template, startMs);
  const placeAll = (timeMs: number): void => {
    for (let next = planner.next(timeMs); next !== undefined; next = planner.next(timeMs)) {
      if (next.type === "vm-placed") {
        placed.push(next);
        watch.placing?.(pool, recordOf(pool.vms, next.id), recordOf(pool.hosts, next.host));
      }
      assert.equal(applyEvent(pool, next, timeMs), true);
      if (next.type === "vm-placed") watch.placed?.(pool, recordOf(pool.hosts, next.host));
    }
  };
  let timeMs = startMs;
  for (const [index, step] of steps.entries()) {
    timeMs += step.waitMs;
    applyStep(pool, step, { index, timeMs });
    if (!step.isPlanned) continue;
    do {
      planSteps(pool, timeMs);
      placeAll(timeMs);
    } while (pool.dirtyVms.size > 0);
    watch.settled?.(pool);
  }
  return { pool, placed };
}

function recordOf<Id extends string, Value>(records: ReadonlyMap<Id, Value>, id: Id): Value {
  return records.get(id) ?? assert.fail(id);
}

interface Sum {
  readonly cpuCount: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly macosSlots: number;
}

/** What stands on a host, of the pool and of others. */
function takenOn(pool: Pool, { id, foreignVms }: HostRecord): Sum {
  const running = foreignVms.filter(({ state }) => state !== "stopped" && state !== "invalid");
  const all = [
    ...[...pool.vms.values()]
      .filter(({ host }) => host === id)
      .map(({ resources, image }) => ({ ...resources, macosSlots: image.guestOs === "macos" ? 1 : 0 })),
    ...running.map(({ resources, isMacos }) => ({ ...resources, diskMib: 0, macosSlots: isMacos ? 1 : 0 })),
    ...foreignVms.map(({ resources: { diskMib } }) => ({ cpuCount: 0, memoryMib: 0, diskMib, macosSlots: 0 })),
  ];
  const sum = (name: keyof Sum): number => all.reduce((total, each) => total + each[name], 0);
  return {
    cpuCount: sum("cpuCount"),
    memoryMib: sum("memoryMib"),
    diskMib: sum("diskMib"),
    macosSlots: sum("macosSlots"),
  };
}

/** What the host can give: in these histories nothing of it is reserved or promised twice. */
function capacityOf({ facts, spec }: HostRecord): Sum {
  const { cpuCount, memoryMib, diskMib } = facts?.total ?? { cpuCount: 0, memoryMib: 0, diskMib: 0 };
  return { cpuCount, memoryMib, diskMib, macosSlots: spec.limits.macosSlots };
}

/** Everything that is against a VM on a host, in words. */
function obstacles(pool: Pool, vm: VmRecord, host: HostRecord): readonly string[] {
  const { placement, project } = vm.spec;
  const { source } = vm.image;
  const own = [...pool.vms.values()];
  const making = own.filter(({ host: id, state }) => id === host.id && (state === "PLACED" || state === "CREATING"));
  const held = own.filter(
    ({ spec, host: id, state }) => spec.project === project && id !== undefined && state !== "DELETED",
  );
  const { vms = Number.POSITIVE_INFINITY, cpuCount = Number.POSITIVE_INFINITY } =
    pool.projects.get(project)?.spec.quota ?? {};
  const heldCpus = held.reduce((sum, { resources }) => sum + resources.cpuCount, 0);
  const contact = pool.contact(host.id);
  const labels = hostLabels(host);
  const quarantine = host.trouble?.quarantine;
  const taken = takenOn(pool, host);
  const capacity = capacityOf(host);
  const toMakeMib = making.reduce((sum, { resources }) => sum + resources.diskMib, vm.resources.diskMib);
  const kept = own.find(({ state, reservation }) => state === "PENDING" && reservation?.host === host.id);
  const all: Readonly<Record<string, boolean>> = {
    architecture: host.facts?.architecture !== vm.image.architecture,
    "another host": placement.host !== undefined && placement.host !== host.id,
    labels: placement.required.some(({ key, values }) => !values.includes(labels[key] ?? "")),
    "golden VM":
      source.kind === "host-vm" &&
      !host.foreignVms.some(({ name, state }) => name === source.vmName && state === "stopped"),
    silent: host.state !== "READY" || contact?.isConnected !== true,
    cordoned: !host.spec.schedulable || host.spec.drain !== undefined,
    preflight: host.conditions.some(({ holds }) => !holds),
    quarantine: quarantine?.phase === "isolated" || quarantine?.probe !== undefined,
    "macOS slots": vm.image.guestOs === "macos" && taken.macosSlots + 1 > capacity.macosSlots,
    CPUs: taken.cpuCount + vm.resources.cpuCount > capacity.cpuCount,
    memory: taken.memoryMib + vm.resources.memoryMib > capacity.memoryMib,
    disk: taken.diskMib + vm.resources.diskMib > capacity.diskMib || toMakeMib > (contact?.diskFreeMib ?? 0),
    "parallel creates": making.length >= host.spec.limits.parallelCreates,
    quota: held.length + 1 > vms || heldCpus + vm.resources.cpuCount > cpuCount,
    "kept for another": kept !== undefined && shapeOf(kept).key !== shapeOf(vm).key,
  };
  return Object.keys(all).filter((name) => all[name]);
}

describe("placement", () => {
  it("never gives more of a host than it has", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        play(steps, {
          placed: (pool, host) => {
            const taken = takenOn(pool, host);
            const capacity = capacityOf(host);
            for (const name of ["cpuCount", "memoryMib", "diskMib"] as const) {
              assert.ok(taken[name] <= capacity[name], `${taken[name]} of ${capacity[name]} ${name} on ${host.id}`);
            }
          },
        });
      }),
      { numRuns: 500 },
    );
  }).timeout(30_000);

  it("never puts a VM where it may not stand", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        // Room that is kept is left beside VMs that are small enough: how small, reservations.test.ts says.
        play(steps, {
          placing: (pool, vm, host) =>
            assert.deepEqual(
              obstacles(pool, vm, host).filter((name) => name !== "kept for another"),
              [],
            ),
        });
      }),
      { numRuns: 500 },
    );
  }).timeout(30_000);

  it("leaves a VM waiting only if no host may take it", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        play(steps, {
          settled: (pool) => {
            for (const id of pool.waiting) {
              const vm = recordOf(pool.vms, id);
              if (vm.retryAtMs !== undefined) continue;
              for (const host of pool.hosts.values()) {
                assert.notDeepEqual(
                  obstacles(pool, vm, host),
                  [],
                  `vms/${id} waits, and nothing is against ${host.id}`,
                );
              }
            }
          },
        });
      }),
      { numRuns: 500 },
    );
  }).timeout(30_000);

  it("decides alike when a history is repeated", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const first = play(steps);
        const second = play(steps);
        assert.deepEqual(first.placed, second.placed);
        assert.deepEqual([...first.pool.vms.values()], [...second.pool.vms.values()]);
      }),
      { numRuns: 200 },
    );
  }).timeout(30_000);

  it("finds a host for a VM that asks for less, if it finds one for one that asks for more", () => {
    const label = { key: "disk", operator: "in", values: ["fast"] } as const;
    const wishes = fc.record({
      template: fc.constantFrom("linux", "macos", "pulled"),
      cpuCount: fc.integer({ min: 1, max: 8 }),
      memoryMib: fc.integer({ min: 1024, max: 16_384 }),
      diskMib: fc.integer({ min: 1024, max: 40_000 }),
      host: fc.option(fc.constantFrom("mac-0", "mac-1", "mac-2"), { nil: undefined }),
      isFast: fc.boolean(),
    });
    fc.assert(
      fc.property(histories, fc.array(wishes, { minLength: 5, maxLength: 20 }), (steps, asked) => {
        const { pool } = play(steps);
        for (const { template, host, isFast, ...resources } of asked) {
          const spec = vmSpec({
            template: templateCreate(template).id,
            resources,
            placement: { required: isFast ? [label] : [], ...(host === undefined ? {} : { host: asHostId(host) }) },
          });
          const hosts = hostsFor(pool, spec);
          for (const [name, less] of Object.entries(withLess(spec))) {
            const left = hostsFor(pool, less);
            for (const id of hosts) assert.ok(left.has(id), `${id} takes it with its ${name}, and not without`);
          }
        }
      }),
      { numRuns: 500 },
    );
  }).timeout(30_000);
});

/** All hosts that can take such a VM now. Those that keep room take those that it is kept for, and not what is like them. */
function hostsFor(pool: Pool, spec: VmSpec): ReadonlySet<string> {
  const image = resolveImage(pool, spec);
  const shape = shapeOf({ spec, image, resources: resolveResources(spec, image) });
  const fitting = [...pool.hosts.values()].filter((host) => {
    const candidate = candidateOf(pool, host);
    return candidate.ledger.reservation === undefined && refusingFilter(candidate, shape) === undefined;
  });
  return new Set(fitting.map(({ id }) => id));
}

/** The spec without each of its constraints. */
function withLess(spec: VmSpec): Readonly<Record<string, VmSpec>> {
  const { host: _, ...anywhere } = spec.placement;
  const half = (name: "cpuCount" | "memoryMib" | "diskMib"): VmSpec => ({
    ...spec,
    resources: { ...spec.resources, [name]: Math.ceil(spec.resources[name] / 2) },
  });
  return {
    host: { ...spec, placement: anywhere },
    labels: { ...spec, placement: { ...spec.placement, required: [] } },
    CPUs: half("cpuCount"),
    memory: half("memoryMib"),
    disk: half("diskMib"),
  };
}

describe("waiting has a bound", () => {
  const stayMaxMs = 2 * hourMs;
  const wish = fc.record({
    project: fc.constantFrom("red", "blue", "green"),
    priority: fc.constantFrom(0, 50, 50, 100),
    // Shapes that fit wherever there is room for another, since only CPUs are scarce.
    memoryMib: fc.constantFrom(1024, 2048),
    stayMs: fc.integer({ min: minuteMs, max: stayMaxMs }),
    pauseMs: fc.integer({ min: 0, max: 90 * minuteMs }),
  });

  it("that follows from priority, age and what is before it in its lane, once its shape has room", () => {
    fc.assert(
      fc.property(fc.array(wish, { minLength: 20, maxLength: 150, size: "max" }), (wishes) => {
        const run = new QueueRun();
        run.addHost("mac-1");
        // One that never goes: its project holds more than others for ever, which must not keep its next one waiting.
        run.ask("holder", 1e12, { ...sized(9, 1024), project: "red" });
        run.place();
        const asked = wishes.map(({ project, priority, memoryMib, stayMs, pauseMs }, index) => {
          run.advanceTo(run.timeMs + pauseMs);
          run.ask(`vm-${index}`, stayMs, { ...sized(3, memoryMib), project, priority });
          return { id: `vm-${index}`, lane: `${project} ${memoryMib}`, priority, atMs: run.timeMs };
        });
        run.advanceTo(run.timeMs + 1e9);
        const { priorityStepMs, passedOverMaxMs } = run.pool.queue.settings;
        const lanes = new Set(asked.map(({ lane }) => lane)).size;
        for (const vm of asked) {
          const placedMs = run.placedAtMs.get(vm.id) ?? assert.fail(`${vm.id} was never placed`);
          const inWay = asked.filter((other) => {
            const otherMs = run.placedAtMs.get(other.id) ?? Number.POSITIVE_INFINITY;
            return other.lane === vm.lane && otherMs > vm.atMs && otherMs < placedMs;
          });
          for (const { id, priority, atMs } of inWay) {
            const isAllowed = priority - vm.priority >= (atMs - vm.atMs) / priorityStepMs;
            assert.ok(isAllowed, `${id} went before ${vm.id}, and its priority had not grown as high`);
          }
          // Each turn of the lane comes when it has been passed over for too long, and others for longer have had theirs.
          // Room may be kept for a shape that needs more, but only once something smaller has had a turn since its own.
          const turns = [...inWay, vm].map(
            ({ priority }) => (100 - priority) * priorityStepMs + passedOverMaxMs + 2 * lanes * stayMaxMs,
          );
          const boundMs = turns.reduce((sum, turnMs) => sum + turnMs, 0);
          assert.ok(placedMs - vm.atMs <= boundMs, `${vm.id} waited for ${placedMs - vm.atMs} of ${boundMs} ms`);
        }
      }),
      { numRuns: 150 },
    );
  }).timeout(60_000);

  it("also of a VM that everybody else's would go before for ever", () => {
    const run = new QueueRun();
    run.addHost("mac-1");
    run.ask("holder", 1e12, { ...sized(9), project: "red" });
    run.place();
    run.ask("patient", minuteMs, { ...sized(3), project: "red", priority: 0 });
    const startMs = run.timeMs;
    for (let vm = 0; vm < 1000 && !run.placedAtMs.has("patient"); vm += 1) {
      run.ask(`urgent-${vm}`, 10 * minuteMs, { ...sized(3), project: "blue", priority: 100 });
      run.advanceTo(run.timeMs + 5 * minuteMs);
    }
    const { priorityStepMs, passedOverMaxMs } = run.pool.queue.settings;
    const waitedMs = (run.placedAtMs.get("patient") ?? Infinity) - startMs;
    // The two lanes were then served in turn.
    assert.ok(waitedMs <= 100 * priorityStepMs + passedOverMaxMs + 2 * 10 * minuteMs, `${waitedMs}`);
    assert.ok(waitedMs >= 100 * priorityStepMs + passedOverMaxMs, "not before");
  });
});
