/**
 * The filters: each a name, a check of one host, and an explanation. A host that passes all of them can take the VM now.
 * They look at the host's record, at its ledger and at what is known of the contact with it, and at nothing of the VM but its
 * shape.
 */
import type { HostId } from "../../shared/ids.ts";
import type { HostContact, HostRecord } from "../pool/host.ts";
import { describeLabelExpression, matchesLabel } from "../pool/labels.ts";
import type { HostLedger } from "../pool/ledger.ts";
import type { Shape } from "../pool/shape.ts";
import { isShut } from "../pool/trouble.ts";
import type { PlacementView } from "../pool/view.ts";
import { describeMib } from "./size.ts";

/** What filters and scores see of a host. */
export interface Candidate {
  readonly host: HostRecord;
  readonly ledger: HostLedger;
  readonly contact: HostContact | undefined;
}

export interface Refusal {
  readonly filter: FilterName;
  /** About this host, such as "has 4 of 12 CPUs free, and 8 are needed". */
  readonly message: string;
}

interface Filter {
  readonly name: string;
  /** Whether the host is refused. Called for every host: it allocates nothing. */
  readonly refuses: (candidate: Candidate, shape: Shape) => boolean;
  /** Why, about one host; called only for a host that is refused. */
  readonly explain: (candidate: Candidate, shape: Shape) => string;
  /** Why, about several: what follows "9 hosts" (or "1 host", then the first form). */
  readonly summary: readonly [one: string, many: string];
}

/** In the order in which they are asked: what refuses for good comes first, so that explanations name the deeper reason. */
export const filters = [
  {
    name: "architecture",
    refuses: ({ host }, shape) => host.facts?.architecture !== shape.architecture,
    explain: ({ host }, shape) =>
      `is ${host.facts?.architecture ?? "not known yet"}, and ${shape.architecture} is needed`,
    summary: ["has another architecture", "have another architecture"],
  },
  {
    name: "requested_host",
    refuses: ({ host }, shape) => shape.host !== undefined && shape.host !== host.id,
    explain: (_, shape) => `is not hosts/${shape.host}, which is asked for`,
    summary: ["is not the one asked for", "are not the one asked for"],
  },
  {
    name: "labels",
    refuses: ({ ledger }, shape) => shape.required.some((expression) => !matchesLabel(ledger.labels, expression)),
    explain: ({ ledger }, shape) => {
      const unmet = shape.required.filter((expression) => !matchesLabel(ledger.labels, expression));
      return `does not meet ${unmet.map(describeLabelExpression).join(" and ")}`;
    },
    summary: ["lacks a required label", "lack a required label"],
  },
  {
    name: "golden_vm",
    refuses: ({ ledger }, shape) => shape.goldenVm !== undefined && !ledger.goldenVms.has(shape.goldenVm),
    explain: (_, shape) => `has no stopped VM named "${shape.goldenVm}" to clone`,
    summary: ["has no golden VM of the template", "have no golden VM of the template"],
  },
  {
    name: "size",
    refuses: ({ ledger }, { resources }) =>
      resources.cpuCount > ledger.cpuCapacity ||
      resources.memoryMib > ledger.memoryCapacityMib ||
      resources.diskMib > ledger.diskCapacityMib,
    explain: ({ ledger }) =>
      `is too small: it can give VMs ${ledger.cpuCapacity} CPUs, ${describeMib(ledger.memoryCapacityMib)} of memory and ` +
      `${describeMib(ledger.diskCapacityMib)} of disk in all`,
    summary: ["is too small", "are too small"],
  },
  {
    name: "connected",
    refuses: ({ host, contact }) => host.state !== "READY" || contact?.isConnected !== true,
    explain: ({ host }) => `does not talk to the server (${host.state === "READY" ? "just now" : host.state})`,
    summary: ["does not talk to the server", "do not talk to the server"],
  },
  {
    name: "cordoned",
    refuses: ({ host }) => !host.spec.schedulable || host.spec.drain !== undefined,
    explain: ({ host }) => (host.spec.drain === undefined ? "is cordoned" : "is being drained"),
    summary: ["is cordoned", "are cordoned"],
  },
  {
    name: "preflight",
    refuses: ({ host }) => host.conditions.some(({ holds }) => !holds),
    explain: ({ host }) => {
      const failing = host.conditions.find(({ holds }) => !holds);
      return `fails its preflight: ${failing?.message ?? "no reason given"}`;
    },
    summary: ["fails its preflight", "fail their preflight"],
  },
  {
    name: "quarantine",
    refuses: ({ host }) => isShut(host),
    explain: ({ host }) => describeQuarantine(host),
    summary: ["is in quarantine", "are in quarantine"],
  },
  {
    name: "macos_slots",
    refuses: ({ ledger }, shape) => shape.isMacos && ledger.macosTaken >= ledger.macosSlots,
    explain: ({ ledger }) => `has no free macOS slot: ${ledger.macosTaken} of ${ledger.macosSlots} are taken`,
    summary: ["has no free macOS slot", "have no free macOS slot"],
  },
  {
    name: "cpu",
    refuses: ({ ledger }, { resources }) => ledger.cpuTaken + resources.cpuCount > ledger.cpuCapacity,
    explain: ({ ledger }, { resources }) =>
      `has ${Math.max(0, ledger.cpuCapacity - ledger.cpuTaken)} of ${ledger.cpuCapacity} CPUs free, and ${resources.cpuCount} are needed`,
    summary: ["has too few CPUs free", "have too few CPUs free"],
  },
  {
    name: "memory",
    refuses: ({ ledger }, { resources }) => ledger.memoryTakenMib + resources.memoryMib > ledger.memoryCapacityMib,
    explain: ({ ledger }, { resources }) =>
      `has ${describeMib(Math.max(0, ledger.memoryCapacityMib - ledger.memoryTakenMib))} of ` +
      `${describeMib(ledger.memoryCapacityMib)} of memory free, and ${describeMib(resources.memoryMib)} are needed`,
    summary: ["has too little memory free", "have too little memory free"],
  },
  {
    name: "disk",
    // Two questions: is the disk promised to others, and is there room for what has yet to be written.
    refuses: ({ host, ledger }, { resources }) =>
      ledger.diskTakenMib + resources.diskMib > ledger.diskCapacityMib ||
      ledger.diskToMakeMib + resources.diskMib > ledger.diskFreeMib * host.spec.limits.diskOvercommit,
    explain: ({ ledger }, { resources }) =>
      `has promised ${describeMib(ledger.diskTakenMib)} of ${describeMib(ledger.diskCapacityMib)} of disk and has ` +
      `${describeMib(ledger.diskFreeMib)} free, and ${describeMib(resources.diskMib)} are needed`,
    summary: ["has too little disk free", "have too little disk free"],
  },
  {
    name: "parallel_creates",
    refuses: ({ ledger }) => ledger.creating >= ledger.parallelCreates,
    explain: ({ ledger }) => `is making ${ledger.creating} VMs, as many as it may at once`,
    summary: ["is making as many VMs as it may at once", "are making as many VMs as they may at once"],
  },
  {
    name: "reserved_for",
    refuses: ({ ledger }, shape) => ledger.reservation !== undefined && !ledger.leavesRoom(shape),
    explain: ({ ledger: { reservation } }) =>
      `keeps its room for vms/${reservation?.vm}, ` +
      (reservation?.isByPreemption === true ? "for which others give way" : "which has waited for longer"),
    summary: ["keeps its room for another VM", "keep their room for other VMs"],
  },
] as const satisfies readonly Filter[];

function describeQuarantine({ trouble }: HostRecord): string {
  const quarantine = trouble?.quarantine;
  if (quarantine?.probe !== undefined) return "is in quarantine, and being tried with one VM";
  return `is in quarantine: ${quarantine?.message ?? "no reason given"}`;
}

export type FilterName = (typeof filters)[number]["name"];

/** What filters see of a host. */
export function candidateOf(view: PlacementView, host: HostRecord): Candidate {
  return { host, ledger: view.ledger(host.id), contact: view.contact(host.id) };
}

/** The first filter that refuses the host, or nothing if the VM fits there now. */
export function refusingFilter(candidate: Candidate, shape: Shape): (typeof filters)[number] | undefined {
  for (const filter of filters) {
    if (filter.refuses(candidate, shape)) return filter;
  }
  return undefined;
}

/** Why the host cannot take a VM of the shape now, or nothing if it can. */
export function refusalOn(view: PlacementView, id: HostId, shape: Shape): Refusal | undefined {
  const host = view.hosts.get(id);
  if (host === undefined) return { filter: "connected", message: "is not known" };
  const candidate = candidateOf(view, host);
  const filter = refusingFilter(candidate, shape);
  return filter === undefined ? undefined : { filter: filter.name, message: filter.explain(candidate, shape) };
}
