/** What is true of a simulated Mac from the start: its options, with every default filled in. */
import { assert } from "../shared/assert.ts";
import type { Architecture, CatalogManifest } from "./catalog.ts";
import { type Delays, noDelays, realisticDelays, type Verb } from "./delays.ts";
import { macIndexMax } from "./guest/guest-address.ts";
import type { VmDescription } from "./vm.ts";

export type ServiceVersion = "1.0.4" | "1.0.5";

export interface MacOptions {
  /** Which of many Macs, from 0 to 16381; its guests' addresses and its seed follow from it. Default 0. */
  readonly index?: number;
  /** Default "mac-" and the index, from 1. */
  readonly name?: string;
  /** Default "arm64". */
  readonly architecture?: Architecture;
  /** Such as "Apple M2 Pro". Default: one of the architecture. */
  readonly chip?: string;
  /** Default 12. */
  readonly cpuCount?: number;
  /** Default 32768. */
  readonly memoryMib?: number;
  /** The whole disk. Default 994662. */
  readonly diskMib?: number;
  /** What macOS and its people take of the disk. Default 65536. */
  readonly diskUsedMib?: number;
  /** From 1.0.5 on, state verbs are PUT; before, they are GET. Default "1.0.5". */
  readonly serviceVersion?: ServiceVersion;
  /** Golden VMs, and others that stand on the Mac from the start. Default none. */
  readonly vms?: readonly VmDescription[];
  /** The manifests of the catalogs that it can reach. Default none. */
  readonly catalog?: readonly CatalogManifest[];
  /** Delays that differ from the realistic ones (or, with `instant`, from none). */
  readonly delays?: Partial<Delays>;
  /** Nothing takes time. Default false. */
  readonly instant?: boolean;
  /** The probability, 0 to 1, that a verb fails. Default none does. */
  readonly failRates?: Readonly<Partial<Record<Verb, number>>>;
  /** How long a job may be silent before the service marks it failed, in ms. Default five minutes. */
  readonly jobSilenceMs?: number;
  /** How many macOS guests may be on at once. Default 2, as Apple's licence has it. */
  readonly macosGuestMax?: number;
  /** The same seed and the same calls give the same Mac. Default 1. */
  readonly seed?: number;
}

export interface MacFacts {
  readonly index: number;
  readonly name: string;
  readonly architecture: Architecture;
  readonly chip: string;
  readonly cpuCount: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly serviceVersion: ServiceVersion;
  readonly catalog: readonly CatalogManifest[];
  readonly delays: Delays;
  readonly macosGuestMax: number;
}

/** What the simulated Macs have in common. */
export const osVersion = "15.5";
export const parallelsVersion = "20.3.0.55895";
export const toolsVersion = "20.3.0-55895";
/** What the service keeps for the Mac itself. */
export const serviceReserved = { cpuCount: 1, memoryMib: 2_048, diskMib: 20_000 };
/** The user whose VMs they are, and the folder where they are kept. */
export const macUser = "ci";
export const vmHome = "/Users/ci/Parallels";

export function resolveFacts(options: MacOptions): MacFacts {
  const index = options.index ?? 0;
  assert(Number.isInteger(index) && index >= 0 && index <= macIndexMax, `a Mac's index is 0 to ${macIndexMax}`);
  const architecture = options.architecture ?? "arm64";
  const base = options.instant === true ? noDelays : realisticDelays;
  return {
    index,
    name: options.name ?? `mac-${index + 1}`,
    architecture,
    chip: options.chip ?? (architecture === "arm64" ? "Apple M2 Pro" : "Intel(R) Core(TM) i7-8700B CPU @ 3.20GHz"),
    cpuCount: options.cpuCount ?? 12,
    memoryMib: options.memoryMib ?? 32_768,
    diskMib: options.diskMib ?? 994_662,
    serviceVersion: options.serviceVersion ?? "1.0.5",
    catalog: options.catalog ?? [],
    // One object for all Macs without delays of their own.
    delays: options.delays === undefined ? base : { ...base, ...options.delays },
    macosGuestMax: options.macosGuestMax ?? 2,
  };
}
