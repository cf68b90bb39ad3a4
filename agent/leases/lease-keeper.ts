/**
 * Ends VMs whose leases have run out, whether the server can be reached or not, and tries until they are gone. A VM without a
 * lease is never touched. After a start, leases that ran out while the agent was away wait a moment for the server's word,
 * since it may have renewed them meanwhile.
 */
import { AssertionFailed } from "../../shared/assert.ts";
import { type Cancellable, type Clock, sleep } from "../../shared/clock.ts";
import type { Command, Leases } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { parseHostVmName } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { EndedVm } from "../commands/dispatcher.ts";
import { Turns } from "../commands/turns.ts";
import type { HostVms } from "../inventory/host-vms.ts";
import type { Journal } from "../journal/journal.ts";
import type { LeaseRecord } from "../journal/journal-record.ts";
import type { BootTime } from "./boot-time.ts";
import { LeaseBook } from "./lease-book.ts";

export interface LeaseTuning {
  /** How long leases that ran out before the agent's start wait for the server's word, in ms. Default 5,000. */
  readonly startGraceMs: number;
  /** How often the agent remembers that the Mac is up while there are leases, in ms. Default 60,000: so much may be lost of
   * the knowledge of how old a lease is when the Mac restarts. */
  readonly momentPeriodMs: number;
  /** How long what a removed VM's name covers is removed again, in ms. Default six hours: a pull that was under way then
   * cannot be stopped, and has made its VM by then. */
  readonly lateMs: number;
  /** The pauses between tries to remove a VM double from the first to the last, in ms. Defaults 500 and 10,000. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
}

export const defaultLeaseTuning: LeaseTuning = {
  startGraceMs: 5_000,
  momentPeriodMs: 60_000,
  lateMs: 6 * 60 * 60_000,
  pauseMinMs: 500,
  pauseMaxMs: 10_000,
};

/** The longest time until the leases are looked at again, in ms: timers may run by a clock that stands while the Mac sleeps. */
const lookPeriodMs = 10_000;
/** VMs that are removed at once; the local service does not get faster with more. */
const removalsMax = 8;

export interface LeaseKeeperOptions {
  readonly journal: Journal;
  readonly hostVms: HostVms;
  readonly clock: Clock;
  readonly readTime: () => BootTime;
  readonly log: Logger;
  readonly tuning: LeaseTuning;
  /** Cuts the VM's power and removes it; rejects when that cannot be done now. One that is not there is removed. */
  readonly endVm: (vm: EndedVm, signal: AbortSignal) => Promise<void>;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #book: LeaseBook;
  readonly #turns = new Turns();
  readonly #closing = new AbortController();
  readonly #removals = new Map<string, Promise<void>>();
  /** Leases that ran out before the start, which wait for the server's word until `#graceEndsAtMs`. */
  readonly #awaiting = new Set<string>();
  #graceEndsAtMs = 0;
  #momentDueAtMs = 0;
  #timer: Cancellable | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#book = new LeaseBook(options.journal, options.readTime);
  }

  /** Takes up the leases of an earlier run. */
  start(): void {
    const { nowMs } = this.#options.readTime();
    this.#book.rebase();
    this.#graceEndsAtMs = nowMs + this.#options.tuning.startGraceMs;
    for (const { endsAtMs, hostVmName, phase } of this.#book.all) {
      if (phase === "counting" && endsAtMs <= nowMs) this.#awaiting.add(hostVmName);
    }
    this.#look();
  }

  /** A command says how long its VM may live from now on. One that does not changes nothing: only `Leases` ends a lease. */
  onCommand(command: Command): void {
    if (command.leaseMs > 0 && this.#book.put(command)) this.#look();
  }

  onLeases({ whole, leases }: Leases): void {
    for (const lease of leases) {
      if (this.#book.put(lease)) this.#awaiting.delete(lease.hostVmName);
    }
    if (whole) {
      this.#book.keepOnly(new Set(leases.map(({ hostVmName }) => hostVmName)));
      this.#awaiting.clear();
    }
    this.#look();
  }

  /** Something has changed on the Mac. */
  onInventory(): void {
    if (this.#options.journal.state.leases.size > 0) this.#look();
  }

  /** Ends nothing more; what is being removed is left where it is. Twice is harmless. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the agent is stopping"));
    this.#timer?.cancel();
    await Promise.allSettled(this.#removals.values());
  }

  #look(): void {
    if (this.#closing.signal.aborted) return;
    this.#book.learnIds(this.#options.hostVms.vms());
    const { nowMs } = this.#options.readTime();
    let nextMs = lookPeriodMs;
    for (const lease of this.#book.all) {
      const leftMs = this.#dueAtMs(lease) - nowMs;
      if (lease.phase === "ended") this.#lookAtEnded(lease, nowMs);
      else if (leftMs <= 0) this.#remove(this.#book.end(lease), "lease ran out");
      else nextMs = Math.min(nextMs, leftMs);
    }
    if (nowMs >= this.#momentDueAtMs) {
      this.#momentDueAtMs = nowMs + this.#options.tuning.momentPeriodMs;
      this.#book.noteMoment();
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#book.all.length === 0) return;
    this.#timer = this.#options.clock.after(nextMs, () => this.#look());
  }

  #dueAtMs({ endsAtMs, hostVmName }: LeaseRecord): number {
    return this.#awaiting.has(hostVmName) ? Math.max(endsAtMs, this.#graceEndsAtMs) : endsAtMs;
  }

  /** Its removal may have been cut off with an earlier run; or a copy or pull that could not be stopped has made it late. */
  #lookAtEnded(lease: LeaseRecord, nowMs: number): void {
    if (this.#removals.has(lease.hostVmName)) return;
    const target = targetOf(lease);
    for (const vm of this.#options.hostVms.vms()) {
      if (vm.id === target.hostVmId || vm.name === target.hostVmName) {
        this.#remove(lease, "vm of an ended lease is there");
        return;
      }
    }
    if (nowMs - lease.endsAtMs > this.#options.tuning.lateMs) this.#book.drop(lease);
  }

  #remove(lease: LeaseRecord, why: string): void {
    const { log } = this.#options;
    log.warn({ vm_uid: lease.vmUid, host_vm_name: lease.hostVmName }, why);
    const removal = this.#removeUntilGone(lease)
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) throw error;
      })
      .finally(() => this.#removals.delete(lease.hostVmName));
    this.#removals.set(lease.hostVmName, removal);
  }

  async #removeUntilGone(lease: LeaseRecord): Promise<void> {
    const { clock, endVm, log, tuning } = this.#options;
    const { signal } = this.#closing;
    const fields = { vm_uid: lease.vmUid, host_vm_name: lease.hostVmName };
    let isFailing = false;
    for (let pauseMs = tuning.pauseMinMs; ; pauseMs = Math.min(pauseMs * 2, tuning.pauseMaxMs)) {
      const endTurn = await this.#turns.take("removal", () => removalsMax, signal);
      try {
        await endVm(targetOf(lease), signal);
        log.info(fields, "vm whose lease ran out is gone");
        return;
      } catch (error) {
        if (error instanceof AssertionFailed) throw error;
        signal.throwIfAborted();
        if (!isFailing) log.error({ err: error, ...fields }, "vm whose lease ran out not removed yet; trying again");
        isFailing = true;
      } finally {
        endTurn();
      }
      await sleep(clock, pauseMs, signal);
    }
  }
}

/**
 * A name that the pool has made up is the VM's alone. One that a person gave may be given to another VM later, so that only
 * the id counts once it is known.
 */
function targetOf({ hostVmId, hostVmName, vmUid }: LeaseRecord): EndedVm {
  const isOwnName = parseHostVmName(hostVmName) !== undefined || hostVmId === "";
  return { vmUid, hostVmId, hostVmName: isOwnName ? hostVmName : "" };
}
