/**
 * Random histories for placement: VMs that ask for all that filters and scores know of, and hosts that change in all that
 * they see. What else happens to VMs and hosts is as in `random-history.ts`.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyEvent } from "../../../server/apply/apply-event.ts";
import { planVmStep } from "../../../server/planners/lifecycle.ts";
import { planNotice } from "../../../server/planners/preemption.ts";
import type { VmUpdate } from "../../../server/pool/events/vms.ts";
import type { PoolEvent } from "../../../server/pool/events.ts";
import type { Pool } from "../../../server/pool/pool.ts";
import type { SettingsSpec } from "../../../server/pool/settings/settings.ts";
import { MeridianError } from "../../../shared/errors.ts";
import { asHostId, asProjectId, asVmId, type HostId } from "../../../shared/ids.ts";
import { changedInventory, goldenVm, hostConnected, hostFacts, hostUse, hostVm, wholeInventory } from "./hosts.ts";
import { anyStep, eventOf, macosTemplate, type Step } from "./random-history.ts";
import { catalogCreate, catalogTemplateCreate, settingsUpdate, templateCreate, uidFor, vmCreate } from "./specs.ts";

export interface PlacementStep {
  readonly change: Change;
  /** What passes before it. */
  readonly waitMs: number;
  /** Whether the planners have their turn after it. */
  readonly isPlanned: boolean;
}

type Change =
  | Exclude<Step, { kind: "wait" | "reopen" }>
  | { readonly kind: "time" }
  | {
      readonly kind: "wish";
      readonly vm: number;
      readonly template: number;
      readonly cpuCount: number;
      readonly priority: number;
      readonly project: string;
      readonly strategy: "pack" | "spread" | undefined;
      readonly isFast: boolean;
      readonly isPreferred: boolean;
      readonly isSpread: boolean;
      readonly build: string;
      readonly host: number;
    }
  | {
      readonly kind: "project";
      readonly project: string;
      readonly weight: number;
      readonly vms: number;
      readonly cpuCount: number;
    }
  | { readonly kind: "relabel"; readonly vm: number; readonly build: string }
  | {
      readonly kind: "join";
      readonly host: number;
      readonly cpuCount: number;
      readonly disk: string;
      readonly hasImage: boolean;
      readonly isForeignRunning: boolean;
    }
  | { readonly kind: "pulse"; readonly host: number; readonly diskFreeMib: number; readonly isHealthy: boolean }
  | { readonly kind: "golden"; readonly host: number; readonly isStopped: boolean }
  | {
      readonly kind: "tag";
      readonly host: number;
      readonly disk: string;
      readonly macosSlots: number;
      readonly parallelCreates: number;
    }
  | { readonly kind: "settings"; readonly spec: SettingsSpec };

/** What has to be there before a history begins. */
export const placementTemplates: readonly PoolEvent[] = [
  catalogCreate("catalog"),
  templateCreate("linux"),
  templateCreate(macosTemplate, { guestOs: "macos", source: { kind: "host-vm", vmName: "golden-macos" } }),
  catalogTemplateCreate("pulled", "catalog"),
];
const templates = ["linux", macosTemplate, "pulled"].map((name) => templateCreate(name).id);

const vm = fc.nat(5);
const host = fc.nat(4);
const build = fc.constantFrom("", "red", "blue");
const disk = fc.constantFrom("fast", "slow");
const weight = fc.constantFrom(0, 1, 300);
const project = fc.constantFrom("red", "blue", "green");
/** Stands for no bound. */
const unbounded = -1;

const changes: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("wish"),
      vm,
      template: fc.constantFrom(0, 0, 1, 2),
      cpuCount: fc.constantFrom(1, 2, 4),
      priority: fc.constantFrom(50, 50, 52, 90),
      project,
      strategy: fc.constantFrom("pack", "spread", undefined),
      isFast: fc.constantFrom(false, false, true),
      isPreferred: fc.boolean(),
      isSpread: fc.boolean(),
      build,
      // Mostly none.
      host: fc.nat(30),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("relabel"), vm, build }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("project"),
      project,
      weight: fc.constantFrom(1, 1, 2, 10),
      vms: fc.constantFrom(unbounded, unbounded, 0, 1, 2),
      cpuCount: fc.constantFrom(unbounded, unbounded, 3, 6),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("join"),
      host,
      cpuCount: fc.constantFrom(4, 8, 12),
      disk,
      hasImage: fc.boolean(),
      isForeignRunning: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("pulse"),
      host,
      diskFreeMib: fc.constantFrom(1_000_000, 30_000, 30_000, 0),
      isHealthy: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("golden"), host, isStopped: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("tag"),
      host,
      disk,
      macosSlots: fc.constantFrom(0, 1, 2),
      parallelCreates: fc.constantFrom(1, 4),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("settings"),
      spec: fc.record({
        placement: fc.record({
          strategy: fc.constantFrom("pack", "spread"),
          weights: fc.record({ beingPulled: weight, hostSize: weight, strategy: weight, spreadKey: weight }),
        }),
        queue: fc.record({
          priorityStepMs: fc.constantFrom(1000, 60_000, 60_000, 3_600_000),
          passedOverMaxMs: fc.constantFrom(0, 1_800_000),
        }),
      }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("report"),
      vm,
      state: fc.constantFrom("REFUSED", "FAILED"),
      isRetryable: fc.boolean(),
      seen: fc.constant(""),
      staleBy: fc.constant(0),
    }),
  },
  {
    weight: 15,
    arbitrary: anyStep.map(
      (step): Change => (step.kind === "wait" || step.kind === "reopen" ? { kind: "time" } : step),
    ),
  },
);

export const placementSteps: fc.Arbitrary<PlacementStep> = fc.record({
  change: changes,
  waitMs: fc.constantFrom(0, 0, 1, 1000, 5000, 60_000, 2_000_000),
  isPlanned: fc.constantFrom(true, true, true, false),
});

/** Applies the step, after the passing of time; what is refused changes nothing. */
export function applyStep(
  pool: Pool,
  { change }: PlacementStep,
  { index, timeMs }: { readonly index: number; readonly timeMs: number },
): void {
  applyEvent(pool, { type: "tick" }, timeMs);
  const event = change.kind === "time" ? undefined : eventOfChange(pool, change, index);
  if (event === undefined) return;
  try {
    applyEvent(pool, event, timeMs);
  } catch (error) {
    assert.ok(error instanceof MeridianError, String(error));
  }
}

/** Gives the VMs that have changed the commands that they need next. */
export function planSteps(pool: Pool, timeMs: number): void {
  for (const id of pool.dirtyVms) {
    pool.dirtyVms.delete(id);
    const vm = pool.vms.get(id);
    const decision = vm === undefined ? undefined : (planNotice(pool, vm) ?? planVmStep(vm, timeMs));
    if (decision !== undefined) applyEvent(pool, decision, timeMs);
  }
}

function eventOfChange(
  pool: Pool,
  change: Exclude<Change, { kind: "time" }>,
  stepNumber: number,
): PoolEvent | undefined {
  switch (change.kind) {
    case "wish":
      return wish(change, stepNumber);
    case "relabel":
      return relabel(pool, change);
    case "project":
      return projectEvent(pool, change, stepNumber);
    case "join":
      return hostConnected(`mac-${change.host}`, {
        facts: hostFacts({ total: { cpuCount: change.cpuCount, memoryMib: 65_536, diskMib: 1_000_000 } }),
        agentLabels: { disk: change.disk },
        inventory: wholeInventory([...goldenVms, foreign(change.isForeignRunning)], {
          images: change.hasImage ? [pulledImage] : [],
        }),
      });
    case "pulse": {
      const id = hostOf(change.host);
      const conditions = change.isHealthy
        ? hostUse().conditions
        : [{ type: "Licence", holds: false, reason: "Test", message: "" }];
      return {
        type: "host-heard",
        id,
        epoch: epochOf(pool, id),
        use: hostUse({ diskFreeMib: change.diskFreeMib, conditions }),
      };
    }
    case "golden": {
      const id = hostOf(change.host);
      const shown = { ...goldenVm(), state: change.isStopped ? "stopped" : "running" };
      return { type: "host-inventoried", id, epoch: epochOf(pool, id), inventory: changedInventory([shown]) };
    }
    case "tag": {
      const record = pool.hosts.get(hostOf(change.host));
      if (record === undefined) return undefined;
      const { id, generation, spec } = record;
      const { disk, macosSlots, parallelCreates } = change;
      const limits = { ...spec.limits, macosSlots, parallelCreates };
      return {
        type: "host-update",
        id,
        baseGeneration: generation,
        spec: { ...spec, labels: { disk }, limits },
      };
    }
    case "settings":
      return settingsUpdate(change.spec, pool.settingsRecord?.generation ?? 0);
    default:
      return eventOf(pool, change, stepNumber);
  }
}

function wish(change: Extract<Change, { kind: "wish" }>, stepNumber: number): PoolEvent {
  const fast = [{ key: "disk", operator: "in", values: ["fast"] }] as const;
  return vmCreate(`vm-${change.vm}`, {
    uid: uidFor(`uid-${stepNumber}`),
    template: templates[change.template] ?? templateCreate("linux").id,
    resources: { cpuCount: change.cpuCount, memoryMib: 0, diskMib: 0 },
    priority: change.priority,
    project: change.project,
    labels: buildLabels(change.build),
    placement: {
      ...(change.strategy === undefined ? {} : { strategy: change.strategy }),
      required: change.isFast ? fast : [],
      preferred: change.isPreferred ? fast : [],
      ...(change.isSpread ? { spreadKey: "build" } : {}),
      ...(change.host < 5 ? { host: hostOf(change.host) } : {}),
    },
  });
}

function projectEvent(
  pool: Pool,
  { project, weight, vms, cpuCount }: Extract<Change, { kind: "project" }>,
  stepNumber: number,
): PoolEvent {
  const quota = { ...(vms === unbounded ? {} : { vms }), ...(cpuCount === unbounded ? {} : { cpuCount }) };
  const spec = { displayName: "", weight, quota, labels: {} };
  const id = asProjectId(project);
  const known = pool.projects.get(project);
  if (known === undefined) return { type: "project-create", id, uid: uidFor(`project-${stepNumber}`), spec };
  return { type: "project-update", id, baseGeneration: known.generation, spec };
}

function relabel(pool: Pool, change: Extract<Change, { kind: "relabel" }>): VmUpdate | undefined {
  const record = pool.vms.get(asVmId(`vm-${change.vm}`));
  if (record === undefined) return undefined;
  const { id, generation, spec } = record;
  return { type: "vm-update", id, baseGeneration: generation, spec: { ...spec, labels: buildLabels(change.build) } };
}

const goldenVms = [goldenVm(), goldenVm("golden-macos")];
const pulledImage = { catalogId: "PULLED", version: "v1", architecture: "arm64", sizeMib: 20_000 };

function foreign(isRunning: boolean): ReturnType<typeof hostVm> {
  const resources = { cpuCount: 3, memoryMib: 1024, diskMib: 0 };
  return hostVm("of-a-person", { state: isRunning ? "running" : "stopped", resources });
}

function buildLabels(name: string): Readonly<Record<string, string>> {
  return name === "" ? {} : { build: name };
}

function hostOf(index: number): HostId {
  return asHostId(`mac-${index}`);
}

function epochOf(pool: Pool, id: HostId): number {
  return pool.hosts.get(id)?.epoch ?? 0;
}
