/** Random histories of a small pool: what clients ask, what hosts tell (nonsense included), and time. */
import * as fc from "fast-check";
import type { CommandReport } from "../../../server/pool/events/host-reports.ts";
import type { PoolEvent } from "../../../server/pool/events.ts";
import type { HostVm } from "../../../server/pool/host.ts";
import type { Pool } from "../../../server/pool/pool.ts";
import type { CommandKind, VmRecord } from "../../../server/pool/vm.ts";
import { type HostId, hostVmName, type VmId } from "../../../shared/ids.ts";
import { changedInventory, goldenVm, hostConnected, hostFacts, hostUse, hostVm, wholeInventory } from "./hosts.ts";
import { settingsUpdate, uidFor, type VmSpecFields, vmCreate, vmWant } from "./specs.ts";

/** One step, made into an event when its turn comes, since it depends on what the pool is then. */
export type Step =
  | {
      readonly kind: "create";
      readonly vm: number;
      readonly isMacos: boolean;
      readonly cpuCount: number;
      readonly timeoutMs: number;
      readonly priority: number;
      readonly isPreemptible: boolean;
      readonly lifetime: Lifetime;
    }
  | { readonly kind: "preemption"; readonly isOn: boolean; readonly noticeMs: number }
  | { readonly kind: "renew"; readonly vm: number }
  /** The host removes, or does not, what nobody owns. */
  | { readonly kind: "removal"; readonly host: number; readonly state: CommandReport["state"] }
  /** The host shows what an earlier attempt left there, or a VM with a name of ours that nobody knows. */
  | { readonly kind: "leftover"; readonly host: number; readonly vm: number; readonly isUnknown: boolean }
  | { readonly kind: "want"; readonly vm: number; readonly wanted: (typeof wishes)[number]; readonly force: boolean }
  | { readonly kind: "restart"; readonly vm: number }
  | {
      readonly kind: "report";
      readonly vm: number;
      readonly state: CommandReport["state"];
      readonly isRetryable: boolean;
      readonly seen: string;
      readonly staleBy: number;
    }
  | { readonly kind: "sight"; readonly vm: number; readonly seen: string }
  | { readonly kind: "whole"; readonly host: number; readonly seen: readonly string[] }
  | { readonly kind: "foreign"; readonly host: number; readonly state: string }
  | {
      readonly kind: "connect" | "disconnect" | "heartbeat" | "cordon" | "uncordon" | "drain" | "delete-host";
      readonly host: number;
    }
  | { readonly kind: "wait"; readonly spanMs: number }
  /** The server ends, and the next one opens what is durable. */
  | { readonly kind: "reopen" };

/** What a VM's spec says of its end, and of ends of others. */
type Lifetime = Pick<VmSpecFields, "leaseDurationMs" | "maxLifetimeMs" | "onHostLost" | "retryAttempts">;
const lifetimes: readonly Lifetime[] = [
  {},
  {},
  { leaseDurationMs: 30_000 },
  { leaseDurationMs: 300_000, maxLifetimeMs: 200_000 },
  { onHostLost: "fail" },
  { onHostLost: "replace", retryAttempts: 2 },
  { retryAttempts: 1 },
];

const wishes = ["running", "stopped", "suspended", "paused", "deleted"] as const;
/** "" stands for a VM that is not there. */
const shownStates = ["", "running", "stopped", "suspended", "paused", "starting", "stopping", "never-heard-of"];
/** The state that the command is to bring the VM to. */
const asCommanded = "as-commanded";
const hostCount = 3;
const vmCount = 6;

const vm = fc.nat(vmCount - 1);
const host = fc.nat(hostCount - 1);
const seen = fc.constantFrom(...shownStates);

/** Brings up all hosts, so that most histories have somewhere to begin. */
export const firstSteps: readonly Step[] = Array.from({ length: hostCount }, (_, index) => ({
  kind: "connect",
  host: index,
}));

/** Steps that mostly go well, so that histories get far, with all that can go wrong among them. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("create"),
      vm,
      isMacos: fc.boolean(),
      cpuCount: fc.constantFrom(1, 4, 8),
      timeoutMs: fc.constantFrom(0, 0, 30_000),
      priority: fc.constantFrom(10, 50, 90),
      isPreemptible: fc.boolean(),
      lifetime: fc.constantFrom(...lifetimes),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("renew"), vm }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("preemption"),
      isOn: fc.constantFrom(true, true, false),
      noticeMs: fc.constantFrom(1000, 5000, 60_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("removal"),
      host,
      state: fc.constantFrom<CommandReport["state"][]>("ACCEPTED", "SUCCEEDED", "SUCCEEDED", "FAILED", "REFUSED"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("leftover"), host, vm, isUnknown: fc.boolean() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("want"), vm, wanted: fc.constantFrom(...wishes), force: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart"), vm }) },
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant("report"),
      vm,
      state: fc.constantFrom<CommandReport["state"][]>(
        "ACCEPTED",
        "RUNNING",
        ...mostly("SUCCEEDED", 8),
        "FAILED",
        "REFUSED",
      ),
      isRetryable: fc.constantFrom(true, true, false),
      seen: fc.oneof({ weight: 8, arbitrary: fc.constant(asCommanded) }, { weight: 3, arbitrary: seen }),
      staleBy: fc.constantFrom(...mostly(0, 9), 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sight"), vm, seen }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("whole"),
      host,
      seen: fc.array(seen, { minLength: vmCount, maxLength: vmCount }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("foreign"), host, state: fc.constantFrom("running", "stopped") }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("connect"), host }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "disconnect",
        ...mostly("heartbeat", 6),
        "cordon",
        ...mostly("uncordon", 3),
        "drain",
        "delete-host",
      ),
      host,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("wait"),
      spanMs: fc.constantFrom(...mostly(1000, 10), 10_000, 10_000, 40_000, 200_000, 1_000_000),
    }),
  },
);

function mostly<const T>(value: T, count: number): readonly T[] {
  return Array.from({ length: count }, () => value);
}

/** The event of the step now; nothing if there is none. */
export function eventOf(
  pool: Pool,
  step: Exclude<Step, { kind: "wait" | "reopen" }>,
  stepNumber: number,
): PoolEvent | undefined {
  switch (step.kind) {
    case "create": {
      const { cpuCount } = step;
      return vmCreate(`vm-${step.vm}`, {
        uid: uidFor(`uid-${stepNumber}`),
        resources: { cpuCount, memoryMib: 0, diskMib: 0 },
        pendingTimeoutMs: step.timeoutMs,
        priority: step.priority,
        ...(step.isPreemptible ? { preemptible: true } : {}),
        ...step.lifetime,
        ...(step.isMacos ? { template: macosTemplate } : {}),
      });
    }
    case "preemption": {
      const preemption = { enabled: step.isOn, noticeMs: step.noticeMs, afterWaitMs: 2000 };
      return settingsUpdate({ preemption }, pool.settingsRecord?.generation ?? 0);
    }
    case "want":
      return vmWant(`vm-${step.vm}`, step.wanted, { force: step.force });
    case "restart":
      return vmWant(`vm-${step.vm}`, "running", { action: "restart" });
    case "renew":
      return { type: "vm-renew", id: `vm-${step.vm}` as VmId };
    case "removal":
      return removalReports(pool, hostIdOf(step.host), step.state)[0];
    case "leftover": {
      const id = hostIdOf(step.host);
      const record = recordOf(pool, step.vm);
      const uid = step.isUnknown || record === undefined ? uidFor("nobody's") : record.uid;
      // No attempt has the number 0.
      const leftover = hostVm(hostVmName(uid, 0), { resources: { cpuCount: 1, memoryMib: 1024, diskMib: 0 } });
      return { type: "host-inventoried", id, epoch: epochOf(pool, id), inventory: changedInventory([leftover]) };
    }
    case "report":
      return reported(pool, step);
    case "sight": {
      const record = recordOf(pool, step.vm);
      if (record?.host === undefined) return undefined;
      const shown = shownAs(record, step.seen);
      const inventory =
        shown === undefined
          ? changedInventory([], record.sight === undefined ? [] : [record.sight.id])
          : changedInventory([shown]);
      return { type: "host-inventoried", id: record.host, epoch: epochOf(pool, record.host), inventory };
    }
    case "whole": {
      const id = hostIdOf(step.host);
      return {
        type: "host-inventoried",
        id,
        epoch: epochOf(pool, id),
        inventory: wholeInventory(inventoryOf(pool, id, step.seen)),
      };
    }
    case "foreign": {
      const id = hostIdOf(step.host);
      const foreign = hostVm("of-a-person", {
        state: step.state,
        resources: { cpuCount: 1, memoryMib: 1024, diskMib: 0 },
      });
      return { type: "host-inventoried", id, epoch: epochOf(pool, id), inventory: changedInventory([foreign]) };
    }
    default:
      return hostStep(pool, step.kind, hostIdOf(step.host));
  }
}

/** All hosts come back and show every VM that was ever seen there in a state of rest. */
export function returnEvents(pool: Pool): readonly PoolEvent[] {
  const resting = ["running", "stopped", "suspended", "paused"];
  return Array.from({ length: hostCount }, (_, index): PoolEvent => {
    const id = hostIdOf(index);
    const shown = Array.from({ length: vmCount }, (_, number) => {
      const state = recordOf(pool, number)?.sight?.state ?? "";
      return state === "" || resting.includes(state) ? state : "running";
    });
    return hostConnected(id, { facts: largeHost, inventory: wholeInventory(inventoryOf(pool, id, shown)) });
  });
}

/** Every host is alive and does what it was told. */
export function obedienceEvents(pool: Pool): readonly PoolEvent[] {
  const heartbeats = [...pool.hosts.values()].map(
    ({ id, epoch }): PoolEvent => ({ type: "host-heard", id, epoch, use: hostUse() }),
  );
  const reports = Array.from({ length: vmCount }, (_, index) =>
    reported(pool, { kind: "report", vm: index, state: "SUCCEEDED", isRetryable: true, seen: asCommanded, staleBy: 0 }),
  );
  const removals = [...pool.hosts.keys()].flatMap((id) => removalReports(pool, id, "SUCCEEDED"));
  return [...heartbeats, ...reports.filter((event) => event !== undefined), ...removals];
}

/** Reports about the removals that are under way on a host. */
function removalReports(pool: Pool, id: HostId, state: CommandReport["state"]): readonly PoolEvent[] {
  return (pool.hosts.get(id)?.orphans ?? []).flatMap(({ commandId }): readonly PoolEvent[] => {
    if (commandId === undefined) return [];
    const failure = { reason: "Random", message: "it failed", suspect: "host", isRetryable: true } as const;
    const report = { commandId, state, ...(state === "FAILED" || state === "REFUSED" ? { failure } : {}) };
    return [{ type: "command-reported", hostId: id, epoch: epochOf(pool, id), report }];
  });
}

const largeHost = hostFacts({ total: { cpuCount: 16, memoryMib: 65_536, diskMib: 1_000_000 } });

/** The template of macOS guests in random histories. */
export const macosTemplate = vmCreate("x").spec.template.replace("linux", "macos") as VmRecord["spec"]["template"];

function hostStep(
  pool: Pool,
  kind: "connect" | "disconnect" | "heartbeat" | "cordon" | "uncordon" | "drain" | "delete-host",
  id: HostId,
): PoolEvent | undefined {
  const record = pool.hosts.get(id);
  const epoch = epochOf(pool, id);
  switch (kind) {
    case "connect": {
      const seen = Array.from({ length: vmCount }, (_, index) => recordOf(pool, index)?.sight?.state ?? "");
      return hostConnected(id, {
        facts: largeHost,
        inventory: wholeInventory(inventoryOf(pool, id, seen)),
      });
    }
    case "disconnect":
      return { type: "host-disconnected", id, epoch };
    case "heartbeat":
      return { type: "host-heard", id, epoch, use: hostUse() };
    case "delete-host":
      return { type: "host-delete", id, force: true };
    default: {
      if (record === undefined) return undefined;
      const { drain: _, ...spec } = record.spec;
      // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
      const drain = { deadlineMs: record.updateTimeMs + 30_000, reason: "test", then: "uncordon" } as const;
      return {
        type: "host-update",
        id,
        baseGeneration: record.generation,
        spec: { ...spec, schedulable: kind !== "cordon", ...(kind === "drain" ? { drain } : {}) },
      };
    }
  }
}

function reported(pool: Pool, step: Extract<Step, { kind: "report" }>): PoolEvent | undefined {
  const record = recordOf(pool, step.vm);
  if (record?.host === undefined || record.command === undefined) return undefined;
  const shown = shownAs(record, step.seen === asCommanded ? endStates[record.command.kind] : step.seen);
  const { state, isRetryable, staleBy } = step;
  return {
    type: "command-reported",
    hostId: record.host,
    epoch: epochOf(pool, record.host) - staleBy,
    report: {
      commandId: record.command.id,
      state,
      failure: { reason: "Random", message: "it failed", suspect: "host", isRetryable },
      ...(shown === undefined ? {} : { vm: shown }),
    },
  };
}

const endStates: Readonly<Record<CommandKind, string>> = {
  create: "stopped",
  start: "running",
  stop: "stopped",
  suspend: "suspended",
  resume: "running",
  pause: "paused",
  restart: "running",
  reset: "running",
  delete: "",
};

function inventoryOf(pool: Pool, host: HostId, seen: readonly string[]): readonly HostVm[] {
  const shown = seen.flatMap((state, index) => {
    const record = recordOf(pool, index);
    return record?.host === host ? (shownAs(record, state) ?? []) : [];
  });
  return [goldenVm(), goldenVm("golden-macos"), ...shown];
}

function shownAs(record: VmRecord, state: string): HostVm | undefined {
  return state === ""
    ? undefined
    : hostVm(hostVmName(record.uid, record.attempt), { state, resources: record.resources });
}

function recordOf(pool: Pool, index: number): VmRecord | undefined {
  return pool.vms.get(`vm-${index}` as VmId);
}

function hostIdOf(index: number): HostId {
  return `mac-${index}` as HostId;
}

function epochOf(pool: Pool, id: HostId): number {
  return pool.hosts.get(id)?.epoch ?? 0;
}
