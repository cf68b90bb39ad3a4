/**
 * The rules of leases, held against the simulated time, which nobody can set: what clients were told, what hosts were told, and
 * when VMs are taken away. A lease that the server gave at one moment ends at one moment, whatever clocks show.
 */
import type { RecordChange } from "../../server/pool/changes.ts";
import { expiryOf } from "../../server/pool/lease.ts";
import type { VmRecord } from "../../server/pool/vm.ts";
import type { ConnectResponse } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { parseHostVmName, type Uid } from "../../shared/ids.ts";
import type { HostProcess } from "./host-process.ts";
import { nameOnHost } from "./name-on-host.ts";
import type { RulesOptions } from "./rules.ts";

/** What a host gets beyond the server's own bound, and what it may take to end the VM after that, in ms. */
const marginMs = 2_000;
const endingMaxMs = 8_000;
/** As long as a VM that was on its way to another state at that moment may take, which cannot be broken off. */
const endingFromTransitMaxMs = 30_000;
/** After trouble at the Mac: the longest pause between two tries, and the try itself. */
const endingAfterTroubleMaxMs = 40_000;
/** How often an agent notes that its Mac is up: so much may a lease be longer after a start of the Mac with a wrong clock. */
const momentPeriodMs = 60_000;
/** Journals take so long at most to write what an agent was told. */
const journalMaxMs = 50;
/** So long an agent waits after its start before it ends what is over, and a little for its start. */
const startGraceMs = 5_500;
/** A renewal is with an undisturbed host within that. */
const renewalMaxMs = 10_000;

/** What a host was told of one of its VMs. */
interface Told {
  /** Before this moment it must not end the VM. */
  readonly lowMs: number;
  /** At this moment it begins to end the VM. */
  readonly highMs: number;
  /** At this moment it may have begun to: between the two it counts by whichever message it believes. */
  readonly mayEndMs: number;
  /** A later lease has come when it may have begun to end the VM already, and may have ignored it. */
  readonly mayBeEnding: boolean;
  readonly toldAtMs: number;
  /** The least `lowMs` of all that was told of the VM: after a crash the agent may know only that. */
  readonly weakLowMs: number;
  /** The agent may know nothing of it any more. */
  readonly isUncertain: boolean;
  /** Since `highMs` the VM was on its way to another state than off. */
  readonly wasInTransit: boolean;
}

export interface LeaseRulesOptions extends RulesOptions {
  readonly breakRule: (rule: string, detail: string) => void;
  readonly after: (delayMs: number, action: () => void) => void;
}

export class LeaseRules {
  readonly #options: LeaseRulesOptions;
  /** When what the pool gave really ends, by uid and the pool's own time of it. */
  readonly #ends = new Map<string, number>();
  /** By Mac and VM. */
  readonly #told = new Map<string, Told>();
  /** How long each VM has to live at least, by what its client knows. */
  readonly #clients = new Map<Uid, { leaseMs: number | undefined; leaseEndMs: number; lifeEndMs: number }>();

  constructor(options: LeaseRulesOptions) {
    this.#options = options;
  }

  // --- What clients know.

  onMade(vm: VmRecord, sentMs: number): void {
    if (this.#clients.has(vm.uid)) return;
    const { leaseDurationMs, maxLifetimeMs } = vm.spec;
    this.#clients.set(vm.uid, {
      leaseMs: leaseDurationMs,
      leaseEndMs: leaseDurationMs === undefined ? 0 : sentMs + leaseDurationMs,
      lifeEndMs: maxLifetimeMs === undefined ? 0 : sentMs + maxLifetimeMs,
    });
  }

  /** Renewals never ask for less than the first lease, so that one which is applied late takes nothing away. */
  onRenewed(vm: VmRecord, sentMs: number): void {
    const client = this.#clients.get(vm.uid);
    if (client?.leaseMs === undefined) return;
    client.leaseEndMs = Math.max(client.leaseEndMs, sentMs + client.leaseMs);
    const nowMs = this.#options.nowMs();
    this.#options.after(renewalMaxMs, () => this.#checkRenewal(vm, nowMs));
  }

  onChange({ before, after }: Extract<RecordChange, { kind: "vm" }>): void {
    if (after === undefined) return;
    const expiry = expiryOf(after);
    const nowMs = this.#options.nowMs();
    if (expiry !== undefined && !this.#ends.has(endKey(after.uid, expiry.atMs))) {
      this.#ends.set(endKey(after.uid, expiry.atMs), nowMs + expiry.atMs - this.#options.poolNowMs());
    }
    if (after.endReason === undefined || before?.endReason !== undefined) return;
    const client = this.#clients.get(after.uid);
    const boundMs = after.endReason === "LeaseExpired" ? client?.leaseEndMs : client?.lifeEndMs;
    if (boundMs !== undefined && nowMs < boundMs - 2) {
      const early = `${after.id} ends by ${after.endReason} ${Math.round(boundMs - nowMs)} ms before its client's time`;
      this.#options.breakRule("no VM ends before the time that its client has", early);
    }
  }

  // --- What hosts are told.

  /** The server has written this into a stream: no lease in it is longer than what the pool gave. */
  onSent(payload: ConnectResponse["payload"]): void {
    for (const { vmUid, hostVmName, leaseMs } of leasesIn(payload)) {
      const vm = this.#options.view()?.findVmByUid(vmUid as Uid);
      const expiry = vm === undefined ? undefined : expiryOf(vm);
      const endMs = vm === undefined || expiry === undefined ? undefined : this.#ends.get(endKey(vm.uid, expiry.atMs));
      if (endMs === undefined || leaseMs <= 1) continue;
      const overMs = leaseMs - (endMs - this.#options.nowMs() + marginMs);
      if (overMs > 5 && leaseMs > marginMs + 5) {
        const detail = `${hostVmName} may live ${Math.round(overMs)} ms longer than its lease`;
        this.#options.breakRule("no host is told of a longer lease than the pool gave", detail);
      }
    }
  }

  /** The agent hears it. */
  onTold(mac: HostProcess, sentMs: number, payload: ConnectResponse["payload"]): void {
    const leases = leasesIn(payload);
    if (payload?.$case === "leases" && payload.leases.whole) {
      const named = new Set(leases.map(({ hostVmName }) => toldKey(mac, hostVmName)));
      for (const key of this.#told.keys()) {
        if (key.startsWith(`${mac.name}/`) && !named.has(key) && !this.#hasEnded(mac, key)) this.#told.delete(key);
      }
    }
    for (const { hostVmName, leaseMs } of leases) {
      const key = toldKey(mac, hostVmName);
      if (this.#hasEnded(mac, key)) continue;
      if (leaseMs > 0) this.#note(mac, hostVmName, { sentMs, leaseMs });
      else if (payload?.$case === "leases") this.#told.delete(key);
    }
  }

  /** The agent begins anew: what its journal had not written yet is gone. */
  onAgentEnded(mac: HostProcess): void {
    const nowMs = this.#options.nowMs();
    this.#changeAll(mac, (told) => {
      const isWritten = nowMs - told.toldAtMs > journalMaxMs && told.toldAtMs > mac.journalDisk.fullUntilMs;
      return isWritten ? told : { ...told, lowMs: told.weakLowMs, isUncertain: true };
    });
  }

  /** The Mac was off for so long: only its wall clock, which people set, says for how long. */
  onReboot(mac: HostProcess, offMs: number): void {
    if (!mac.hasWallJumped) return;
    const slackMs = momentPeriodMs + offMs;
    this.#changeAll(mac, (told) => ({ ...told, lowMs: 0, weakLowMs: 0, highMs: told.highMs + slackMs }));
    for (const [key, { highMs }] of this.#told) if (key.startsWith(`${mac.name}/`)) this.#planLook(mac, key, highMs);
  }

  onStateChanged(mac: HostProcess, name: string, state: string): void {
    const told = this.#told.get(toldKey(mac, name));
    if (told === undefined || this.#options.nowMs() < told.highMs - 20_000) return;
    if (state !== "stopping" && state !== "stopped")
      this.#told.set(toldKey(mac, name), { ...told, wasInTransit: true });
  }

  /** A name that a person gave may be another VM's from now on. */
  onRemoved(mac: HostProcess, name: string): void {
    if (!isPoolName(name)) this.#told.delete(toldKey(mac, name));
  }

  /** Whether the host may take the VM away by itself now, since its lease is over. */
  isOver(mac: HostProcess, name: string): boolean {
    const told = this.#told.get(toldKey(mac, name));
    return told !== undefined && this.#options.nowMs() >= told.lowMs;
  }

  // --- How it is held.

  #note(
    mac: HostProcess,
    name: string,
    { sentMs, leaseMs }: { readonly sentMs: number; readonly leaseMs: number },
  ): void {
    const key = toldKey(mac, name);
    const before = this.#told.get(key);
    const nowMs = this.#options.nowMs();
    const lowMs = sentMs + leaseMs - marginMs - 2;
    const isSame = before !== undefined && Math.abs(before.lowMs - lowMs) < 10;
    const highMs = isSame ? Math.max(before.highMs, nowMs + leaseMs) : nowMs + leaseMs;
    const mayEndMs = isSame ? Math.min(before.mayEndMs, nowMs + leaseMs) : nowMs + leaseMs;
    const mayBeEnding = before !== undefined && (before.mayBeEnding || nowMs >= before.mayEndMs);
    this.#told.set(key, {
      lowMs: mayBeEnding ? Math.min(before.lowMs, lowMs) : lowMs,
      highMs,
      mayEndMs,
      mayBeEnding,
      toldAtMs: nowMs,
      weakLowMs: Math.min(before?.weakLowMs ?? lowMs, lowMs),
      isUncertain: false,
      wasInTransit: isSame && before.wasInTransit,
    });
    this.#planLook(mac, key, highMs);
  }

  #planLook(mac: HostProcess, key: string, highMs: number): void {
    this.#options.after(highMs + endingMaxMs - this.#options.nowMs(), () => this.#look(mac, key));
  }

  /** A VM whose lease is over has gone, unless something at its Mac is in the way, or was until a moment ago. */
  #look(mac: HostProcess, key: string): void {
    const told = this.#told.get(key);
    const name = key.slice(mac.name.length + 1);
    const nowMs = this.#options.nowMs();
    const isThere = mac.mac.vms.some((vm) => vm.name === name);
    if (told === undefined || told.isUncertain || !isThere || nowMs < told.highMs + endingMaxMs - 1) return;
    const troubledMs = Math.max(mac.troubledMs, mac.appearedMs.get(name) ?? 0);
    const dueMs = Math.max(
      told.highMs + (told.wasInTransit ? endingFromTransitMaxMs : endingMaxMs),
      troubledMs > told.highMs - endingAfterTroubleMaxMs ? troubledMs + endingAfterTroubleMaxMs : 0,
    );
    if (!mac.isTroubled && nowMs >= dueMs) {
      const late = `${name} stands on ${mac.name} ${Math.round((nowMs - told.highMs) / 1000)} s after its lease`;
      this.#options.breakRule("no VM outlives its lease", late);
    } else {
      this.#options.after(Math.max(1_000, dueMs - nowMs), () => this.#look(mac, key));
    }
  }

  /** A renewal that a client was told of is with its host soon, if nothing was in the way. */
  #checkRenewal({ uid }: VmRecord, sinceMs: number): void {
    const vm = this.#options.view()?.findVmByUid(uid);
    const mac = this.#options.macs().find(({ name }) => name === vm?.host);
    const isAlive = vm?.state === "RUNNING" || vm?.state === "STOPPED";
    if (vm === undefined || mac === undefined || !isAlive || vm.spec.wanted === "deleted") return;
    if (this.#options.linkTroubledMs(mac.name) >= sinceMs - 30_000 || mac.isTroubled || mac.troubledMs >= sinceMs)
      return;
    const expiry = expiryOf(vm);
    const endMs = expiry === undefined ? undefined : this.#ends.get(endKey(uid, expiry.atMs));
    const told = this.#told.get(toldKey(mac, nameOnHost(vm)));
    // One that is renewed at this very moment is looked at by that renewal.
    if (endMs === undefined || told === undefined || told.mayBeEnding || told.lowMs >= endMs - 100) return;
    if (this.#options.nowMs() - told.toldAtMs < renewalMaxMs - 100) return;
    this.#options.breakRule(
      "a renewal reaches its host",
      `${vm.id} on ${mac.name}: ${Math.round(endMs - told.lowMs)} ms less`,
    );
  }

  /** Whether the agent is ending the VM already. One that was down then waits a moment for the server's word first. */
  #hasEnded({ agentRestartedMs = 0 }: HostProcess, key: string): boolean {
    const told = this.#told.get(key);
    if (told === undefined) return false;
    const endMs = agentRestartedMs > told.highMs ? agentRestartedMs + startGraceMs : told.highMs;
    return this.#options.nowMs() >= endMs;
  }

  #changeAll(mac: HostProcess, change: (told: Told) => Told): void {
    for (const [key, told] of this.#told) if (key.startsWith(`${mac.name}/`)) this.#told.set(key, change(told));
  }
}

interface SentLease {
  readonly vmUid: string;
  readonly hostVmName: string;
  readonly leaseMs: number;
}

function leasesIn(payload: ConnectResponse["payload"]): readonly SentLease[] {
  if (payload?.$case === "leases") return payload.leases.leases;
  return payload?.$case === "command" && payload.command.leaseMs > 0 ? [payload.command] : [];
}

function endKey(uid: Uid, atMs: number): string {
  return `${uid} ${atMs}`;
}

function toldKey(mac: HostProcess, hostVmName: string): string {
  return `${mac.name}/${hostVmName}`;
}

/** Whether the name is one that the pool has made up. */
function isPoolName(name: string): boolean {
  return parseHostVmName(name) !== undefined;
}
