/**
 * Trouble: what is remembered of VMs that could not be made or started, on the record of the host where it happened and of the
 * template that they were made of. From it follow the penalty that a host has in placement, its quarantine, and whether a
 * template is to blame. Nothing here reads a clock: times come in, and what time changes is changed by an event.
 */
import type { HostId, TemplateId, Uid } from "../../shared/ids.ts";
import type { HostRecord } from "./host.ts";
import { hostFailuresMax } from "./limits.ts";
import type { PoolSettings } from "./settings/settings.ts";

/** A VM that could not be made or started, for which its host is blamed. */
export interface HostFailure {
  readonly timeMs: number;
  /** The VM's uid. */
  readonly vm: Uid;
  /** What it was made of. */
  readonly template: TemplateId;
  readonly reason: string;
}

export interface Quarantine {
  readonly sinceMs: number;
  /** Isolated: no VM is placed there. Probing: one at a time is, until one has come up. */
  readonly phase: "isolated" | "probing";
  /** When it is probed. */
  readonly untilMs: number;
  /** Counts quarantines in a row, from 1: each is longer than the one before. */
  readonly round: number;
  /** Why, as a sentence without a subject. */
  readonly message: string;
  /** The uid of the VM that it is probed with. */
  readonly probe?: Uid;
}

export interface HostTrouble {
  /** Within the window, the oldest first. A VM that comes up there takes the oldest away. */
  readonly failures: readonly HostFailure[];
  /** How many of them, the newest, count in placement. */
  readonly penalties: number;
  readonly quarantine?: Quarantine;
  /** Counts quarantines. */
  readonly quarantineCount: number;
  /** The last quarantine: one that follows soon is longer. */
  readonly last?: { readonly endMs: number; readonly round: number };
}

export interface TemplateTrouble {
  /** The last failure on each host, within the window, the oldest first. */
  readonly failures: readonly { readonly host: HostId; readonly timeMs: number }[];
  /** Hosts on which a VM of it has come up since the first of these failures. */
  readonly madeOn: readonly HostId[];
}

export const noTrouble: HostTrouble = { failures: [], penalties: 0, quarantineCount: 0 };

/** Whether the host takes no VM because of its quarantine. */
export function isShut({ trouble }: HostRecord): boolean {
  const quarantine = trouble?.quarantine;
  return quarantine !== undefined && (quarantine.phase === "isolated" || quarantine.probe !== undefined);
}

/** Whether the template is to blame: it fails on several hosts, and on more than it works on. */
export function isToBlame(trouble: TemplateTrouble | undefined, { hosts }: PoolSettings): boolean {
  if (trouble === undefined) return false;
  const { failures, madeOn } = trouble;
  return failures.length >= hosts.quarantine.templateHosts && failures.length > madeOn.length;
}

/** Whether so many VMs have failed on the host that it belongs into quarantine. */
export function isSuspicious({ failures }: HostTrouble, { hosts }: PoolSettings): boolean {
  return failures.length >= hosts.quarantine.failures;
}

/** How many hosts may be in quarantine at once: a share of those that are there, one at least, and never the last one. */
export function quarantinedMax(readyHosts: number, { hosts }: PoolSettings): number {
  const { share } = hosts.quarantine;
  if (share === 0) return 0;
  return Math.min(Math.max(1, Math.floor(share * readyHosts)), readyHosts - 1);
}

/** How long the quarantine of a round lasts until it is probed: twice as long as that of the round before. */
export function quarantineMs(round: number, { hosts }: PoolSettings): number {
  const { durationMs, maximumDurationMs } = hosts.quarantine;
  return Math.min(maximumDurationMs, durationMs * 2 ** Math.min(round - 1, 30));
}

/** The round of a quarantine that begins now. */
export function nextRound({ last }: HostTrouble, settings: PoolSettings, timeMs: number): number {
  const isSoon = last !== undefined && timeMs - last.endMs < settings.hosts.quarantine.maximumDurationMs;
  return isSoon ? last.round + 1 : 1;
}

/** The failures that count at a time, with one more if there is one. */
export function withFailure(
  trouble: HostTrouble,
  failure: HostFailure | undefined,
  { settings, timeMs }: { readonly settings: PoolSettings; readonly timeMs: number },
): HostTrouble {
  const kept = trouble.failures.filter((known) => known.timeMs + settings.hosts.quarantine.windowMs > timeMs);
  const failures = (failure === undefined ? kept : [...kept, failure]).slice(-hostFailuresMax);
  const isRecent = (known: HostFailure): boolean => known.timeMs + settings.placement.failureWindowMs > timeMs;
  return { ...trouble, failures, penalties: failures.filter(isRecent).length };
}

/** When time next changes something of the host's trouble; nothing if it never does. */
export function nextTroubleMs(trouble: HostTrouble | undefined, settings: PoolSettings): number | undefined {
  if (trouble === undefined) return undefined;
  const { failures, penalties, quarantine } = trouble;
  const oldest = failures[0];
  const oldestPenalty = failures[failures.length - penalties];
  const dueMs = [
    ...(oldest === undefined ? [] : [oldest.timeMs + settings.hosts.quarantine.windowMs]),
    ...(oldestPenalty === undefined ? [] : [oldestPenalty.timeMs + settings.placement.failureWindowMs]),
    ...(quarantine?.phase === "isolated" ? [quarantine.untilMs] : []),
  ];
  return dueMs.length === 0 ? undefined : Math.min(...dueMs);
}

/** When the oldest of the template's failures is forgotten. */
export function nextTemplateTroubleMs(
  trouble: TemplateTrouble | undefined,
  { hosts }: PoolSettings,
): number | undefined {
  const oldest = trouble?.failures[0];
  return oldest === undefined ? undefined : oldest.timeMs + hosts.quarantine.windowMs;
}
