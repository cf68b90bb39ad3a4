/**
 * Whose fault it looks like that a VM could not be made or started, and what follows. A host on which VMs keep failing goes
 * into quarantine; a template that fails on several hosts is blamed itself, and what they were charged with because of it is
 * taken back. Only so many hosts are in quarantine at once, so that nothing empties the pool.
 */
import { required } from "../../shared/assert.ts";
import type { HostId, Uid } from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import { troubledHostsMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { TemplateRecord } from "../pool/template.ts";
import {
  type HostFailure,
  type HostTrouble,
  isSuspicious,
  isToBlame,
  nextRound,
  noTrouble,
  type Quarantine,
  quarantinedMax,
  quarantineMs,
  withFailure,
} from "../pool/trouble.ts";
import type { VmFailure, VmRecord } from "../pool/vm.ts";
import { isStillBeingMade } from "../pool/vm-machine.ts";

type Failure = Pick<VmFailure, "reason" | "message" | "suspect">;

/**
 * Charges whoever is to blame for the failure of a VM, which is as it was when it failed. Returns the failure with the suspect
 * that it leaves.
 */
export function blame(pool: Pool, vm: VmRecord, failure: Failure, timeMs: number): Failure {
  const { suspect } = failure;
  if (vm.host === undefined || (suspect !== "host" && suspect !== "template") || !isStillBeingMade(vm)) return failure;
  const template = noteTemplateFailure(pool, vm, vm.host, timeMs);
  const isTemplates = isToBlame(template?.trouble, pool.settings);
  if (isTemplates) acquit(pool, required(template, "template that is blamed"), timeMs);
  if (suspect === "template") return failure;
  if (!isTemplates) {
    const { reason, message } = failure;
    charge(pool, vm.host, { timeMs, vm: vm.uid, template: vm.spec.template, reason }, message);
    return failure;
  }
  const hosts = template?.trouble?.failures.length ?? 0;
  const message = `${failure.message} (VMs of templates/${vm.spec.template} failed on ${hosts} hosts, so it looks like the template's fault)`;
  return { ...failure, suspect: "template", message };
}

/** A VM has come up for the first time on its host. @param vm as it was before. */
export function noteMade(pool: Pool, vm: VmRecord, timeMs: number): void {
  if (vm.host === undefined) return;
  forgive(pool, vm.host, vm.uid, timeMs);
  const template = templateOf(pool, vm);
  if (template?.trouble === undefined) return;
  const { failures, madeOn } = template.trouble;
  const others = failures.filter(({ host }) => host !== vm.host);
  const isNew = !madeOn.includes(vm.host) && madeOn.length < troubledHostsMax;
  if (others.length === failures.length && !isNew) return;
  putTemplate(pool, template, { failures: others, madeOn: isNew ? [...madeOn, vm.host] : madeOn });
}

/** Lets go what time has made void: failures out of the window, and a quarantine that is over. */
export function settleHost(pool: Pool, host: HostRecord, timeMs: number): void {
  if (host.trouble === undefined) return;
  if (pool.settings.hosts.quarantine.share === 0 && host.trouble.quarantine !== undefined) {
    endQuarantine(pool, host, timeMs);
    return;
  }
  const settled = withFailure(host.trouble, undefined, { settings: pool.settings, timeMs });
  const { quarantine } = settled;
  if (quarantine?.phase === "isolated" && quarantine.untilMs <= timeMs) {
    putTrouble(pool, host, { ...settled, quarantine: { ...quarantine, phase: "probing" } }, timeMs);
    return;
  }
  const isSame =
    settled.failures.length === host.trouble.failures.length && settled.penalties === host.trouble.penalties;
  if (!isSame) putTrouble(pool, host, settled, timeMs);
}

export function settleTemplate(pool: Pool, template: TemplateRecord, timeMs: number): void {
  if (template.trouble === undefined) return;
  const { failures, madeOn } = template.trouble;
  const kept = failures.filter((failure) => failure.timeMs + pool.settings.hosts.quarantine.windowMs > timeMs);
  if (kept.length < failures.length) putTemplate(pool, template, { failures: kept, madeOn });
}

/**
 * The host takes VMs again as if nothing had failed there. Should it fail again soon, it is for longer, unless an operator says
 * that it was seen to.
 */
export function endQuarantine(pool: Pool, host: HostRecord, timeMs: number, by?: "operator"): HostRecord {
  const { quarantine, quarantineCount } = host.trouble ?? noTrouble;
  const isRemembered = quarantine !== undefined && by === undefined;
  const last = isRemembered ? { last: { endMs: timeMs, round: quarantine.round } } : {};
  return putTrouble(pool, host, { failures: [], penalties: 0, quarantineCount, ...last }, timeMs);
}

/** The VM is what the host is probed with, if it is probed. */
export function beginProbe(pool: Pool, id: HostId, vm: Uid, timeMs: number): void {
  const host = pool.hosts.get(id);
  const quarantine = host?.trouble?.quarantine;
  if (host?.trouble === undefined || quarantine === undefined) return;
  putTrouble(pool, host, { ...host.trouble, quarantine: { ...quarantine, probe: vm } }, timeMs);
}

/** The probe has neither failed nor come up: the next VM is one. */
export function dropProbe(pool: Pool, host: HostRecord, timeMs: number): void {
  const { trouble } = host;
  if (trouble?.quarantine === undefined) return;
  const { probe: _, ...quarantine } = trouble.quarantine;
  putTrouble(pool, host, { ...trouble, quarantine }, timeMs);
}

function charge(pool: Pool, id: HostId, failure: HostFailure, message: string): void {
  const { timeMs } = failure;
  const host = required(pool.hosts.get(id), "host that is charged");
  const trouble = withFailure(host.trouble ?? noTrouble, failure, { settings: pool.settings, timeMs });
  const { quarantine } = trouble;
  if (quarantine?.probe === failure.vm) {
    isolate(pool, host, { trouble, round: quarantine.round + 1, message, timeMs });
  } else if (quarantine === undefined && isSuspicious(trouble, pool.settings) && mayQuarantine(pool)) {
    isolate(pool, host, { trouble, round: nextRound(trouble, pool.settings, timeMs), message, timeMs });
  } else putTrouble(pool, host, trouble, timeMs);
}

interface Isolation {
  readonly trouble: HostTrouble;
  readonly round: number;
  /** Why the last VM failed there. */
  readonly message: string;
  readonly timeMs: number;
}

function isolate(pool: Pool, host: HostRecord, { trouble, round, message, timeMs }: Isolation): void {
  const untilMs = timeMs + quarantineMs(round, pool.settings);
  const sinceMs = trouble.quarantine?.sinceMs ?? timeMs;
  const phase = "isolated";
  const quarantine: Quarantine = { sinceMs, phase, untilMs, round, message: describeFailures(trouble, message) };
  const quarantineCount = trouble.quarantineCount + (trouble.quarantine === undefined ? 1 : 0);
  putTrouble(pool, host, { ...trouble, quarantine, quarantineCount }, timeMs);
}

function describeFailures({ failures }: HostTrouble, newest: string): string {
  const count = failures.length === 1 ? "a VM could" : `${failures.length} VMs could`;
  return `${count} not be made or started there, most recently: ${newest}`;
}

/** A count over all hosts: it is made when one has failed often, which is seldom. */
function mayQuarantine(pool: Pool): boolean {
  let ready = 0;
  let quarantined = 0;
  for (const { state, trouble } of pool.hosts.values()) {
    if (state === "READY") ready += 1;
    if (trouble?.quarantine !== undefined) quarantined += 1;
  }
  return quarantined < quarantinedMax(ready, pool.settings);
}

/** A VM that comes up takes one failure away, and ends the quarantine that it was a probe of. */
function forgive(pool: Pool, id: HostId, vm: Uid, timeMs: number): void {
  const host = pool.hosts.get(id);
  if (host?.trouble === undefined) return;
  if (host.trouble.quarantine?.probe === vm) endQuarantine(pool, host, timeMs);
  else if (host.trouble.failures.length > 0) {
    const trouble = { ...host.trouble, failures: host.trouble.failures.slice(1) };
    putTrouble(pool, host, withFailure(trouble, undefined, { settings: pool.settings, timeMs }), timeMs);
  }
}

/** Takes back what hosts were charged with because of the template. */
function acquit(pool: Pool, { id, trouble }: TemplateRecord, timeMs: number): void {
  for (const { host: hostId } of trouble?.failures ?? []) {
    const host = pool.hosts.get(hostId);
    if (host?.trouble?.failures.some(({ template }) => template === id) !== true) continue;
    const failures = host.trouble.failures.filter(({ template }) => template !== id);
    const left = withFailure({ ...host.trouble, failures }, undefined, { settings: pool.settings, timeMs });
    if (left.quarantine === undefined || isSuspicious(left, pool.settings)) putTrouble(pool, host, left, timeMs);
    else {
      // It was never its fault, so the next quarantine is no longer for it.
      const { quarantine: _, ...free } = left;
      putTrouble(pool, host, free, timeMs);
    }
  }
}

/** Remembers that a VM of the template failed there; returns the template as it is then, if there is one to blame. */
function noteTemplateFailure(pool: Pool, vm: VmRecord, host: HostId, timeMs: number): TemplateRecord | undefined {
  const template = templateOf(pool, vm);
  if (template === undefined) return undefined;
  const { failures = [], madeOn = [] } = template.trouble ?? {};
  const inWindow = failures.filter(
    (known) => known.host !== host && known.timeMs + pool.settings.hosts.quarantine.windowMs > timeMs,
  );
  return putTemplate(pool, template, {
    failures: [...inWindow, { host, timeMs }].slice(-troubledHostsMax),
    madeOn: madeOn.filter((known) => known !== host),
  });
}

/** A copy is made of a VM, whatever that was made of, and what was adopted of nothing. */
function templateOf(pool: Pool, { spec, image }: VmRecord): TemplateRecord | undefined {
  const isOfTemplate = image.source.kind === "catalog" || image.source.kind === "host-vm";
  return isOfTemplate ? pool.templates.get(spec.template) : undefined;
}

function putTemplate(
  pool: Pool,
  template: TemplateRecord,
  trouble: NonNullable<TemplateRecord["trouble"]>,
): TemplateRecord {
  const { trouble: _, ...untroubled } = template;
  const after = { ...untroubled, ...(trouble.failures.length === 0 ? {} : { trouble }), revision: pool.nextRevision };
  pool.putTemplate(after);
  return after;
}

function putTrouble(pool: Pool, host: HostRecord, trouble: HostTrouble, timeMs: number): HostRecord {
  const after = { ...host, trouble, updateTimeMs: timeMs, revision: pool.nextRevision };
  pool.putHost(after);
  return after;
}
