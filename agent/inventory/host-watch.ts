/**
 * Keeps the inventory true. Events of the local service say what changed, at once; lists are the net, since events have no
 * replay and may be lost, doubled or out of order: a list follows each (re)connection of the event socket, each burst of
 * events, each command that asks for one, and comes every minute in any case.
 *
 * At most one list runs at a time and at most one waits behind it; whoever asks while one runs gets the one that waits,
 * because a list that was begun earlier proves nothing about what was done since.
 */
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { orAborted } from "../deadline.ts";
import type { ParallelsApi, ParallelsJob, ParallelsListener, ParallelsVm } from "../parallels/api.ts";
import type { HostVms } from "./host-vms.ts";
import type { Inventory } from "./inventory.ts";
import { ChangeSignal } from "./signals.ts";

export interface HostWatchTuning {
  /** The time between two lists when nothing else asks for one, in ms. Default 60,000. */
  readonly listPeriodMs: number;
  /** How long after an event a list verifies it, in ms; further events in between do not postpone it. Default 2,000. */
  readonly settleMs: number;
  /** How long after a failed list the next one is tried, in ms. Default 5,000. */
  readonly retryMs: number;
}

export const defaultHostWatchTuning: HostWatchTuning = { listPeriodMs: 60_000, settleMs: 2_000, retryMs: 5_000 };

export interface HostWatchOptions {
  readonly parallels: ParallelsApi;
  readonly inventory: Inventory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tuning: HostWatchTuning;
  /** Something has changed that the server should be told. */
  readonly onChanged: () => void;
  /** The Mac has been listed for the first time. */
  readonly onFirstList: () => void;
  /** The event socket came (true) or went (false). */
  readonly onEventsFlowing: (isFlowing: boolean) => void;
  /** A list failed. */
  readonly onCallFailed: (error: unknown) => void;
}

export class HostWatch implements HostVms {
  readonly #options: HostWatchOptions;
  readonly #changes: ChangeSignal;
  readonly #closing = new AbortController();
  readonly #jobListeners = new Map<string, Set<(job: ParallelsJob) => void>>();
  #subscription: { close(): void } | undefined;
  #running: Promise<readonly ParallelsVm[]> | undefined;
  #waiting: Promise<readonly ParallelsVm[]> | undefined;
  #nextList: { readonly atMs: number; readonly timer: Cancellable } | undefined;
  #areImagesStale = true;
  #isFailing = false;

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#changes = new ChangeSignal(options.clock);
  }

  /** Subscribes to events and lists for the first time. */
  start(): void {
    this.#subscription = this.#options.parallels.subscribe(this.#listener());
    this.refresh();
  }

  /** Stops listening; what waits is rejected. */
  close(): void {
    this.#closing.abort(new Error("the agent is stopping"));
    this.#nextList?.timer.cancel();
    this.#subscription?.close();
  }

  /** Lists soon, because something may have changed. Failures are reported and retried here. */
  refresh(): void {
    if (this.#closing.signal.aborted) return;
    this.#list().catch(() => undefined);
  }

  async listFresh(signal: AbortSignal): Promise<readonly ParallelsVm[]> {
    signal.throwIfAborted();
    return orAborted(this.#list(), signal);
  }

  find(vmId: string): ParallelsVm | undefined {
    return this.#options.inventory.find(vmId);
  }

  vms(): Iterable<ParallelsVm> {
    return this.#options.inventory.vms();
  }

  get changeCount(): number {
    return this.#changes.count;
  }

  waitForChange(since: number, limitMs: number, signal: AbortSignal): Promise<void> {
    return this.#changes.wait(since, limitMs, signal);
  }

  followJob(jobId: string, listener: (job: ParallelsJob) => void): Cancellable {
    const listeners = this.#jobListeners.get(jobId) ?? new Set();
    listeners.add(listener);
    this.#jobListeners.set(jobId, listeners);
    return {
      cancel: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#jobListeners.delete(jobId);
      },
    };
  }

  #listener(): ParallelsListener {
    const { inventory, onEventsFlowing } = this.#options;
    return {
      onConnected: () => {
        this.#areImagesStale = true;
        onEventsFlowing(true);
        this.refresh();
      },
      onDisconnected: () => onEventsFlowing(false),
      onStateChanged: (vmId, state) => {
        if (inventory.applyState(vmId, state)) this.#afterEvent();
        else this.refresh();
      },
      onVmChanged: (vm) => {
        inventory.applyVm(vm);
        this.#afterEvent();
      },
      onVmRemoved: (vmId) => {
        inventory.applyRemoval(vmId);
        this.#afterEvent();
      },
      onJob: (job) => {
        for (const listener of this.#jobListeners.get(job.id) ?? []) listener(job);
        this.#changes.notify();
      },
      onCacheChanged: () => {
        this.#areImagesStale = true;
        this.refresh();
      },
    };
  }

  #afterEvent(): void {
    this.#listWithin(this.#options.tuning.settleMs);
    this.#tellChanges();
  }

  #tellChanges(): void {
    this.#changes.notify();
    if (this.#options.inventory.isWaiting) this.#options.onChanged();
  }

  #list(): Promise<readonly ParallelsVm[]> {
    if (this.#running === undefined) {
      this.#running = this.#listOnce().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#waiting ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#waiting = undefined;
        return this.#list();
      });
    return this.#waiting;
  }

  async #listOnce(): Promise<readonly ParallelsVm[]> {
    const { inventory, parallels, tuning } = this.#options;
    const { signal } = this.#closing;
    const mark = inventory.mark();
    try {
      signal.throwIfAborted();
      const vms = await parallels.listVms(signal);
      const isFirst = !inventory.isKnown;
      const hasChanged = inventory.applyList(vms, mark);
      if (isFirst) this.#options.onFirstList();
      this.#noteSuccess();
      this.#nextList?.timer.cancel();
      this.#nextList = undefined;
      this.#listWithin(inventory.hasEventsSince(mark) ? tuning.settleMs : tuning.listPeriodMs);
      if (hasChanged) this.#tellChanges();
      this.#refreshImages().catch(() => undefined);
      return vms;
    } catch (error) {
      this.#noteFailure(error);
      this.#listWithin(tuning.retryMs);
      throw error;
    }
  }

  /** The cache is read only when it may have changed, and nobody waits for it. A Mac whose cache cannot be read is still of
   * use: the next list tries again. */
  async #refreshImages(): Promise<void> {
    if (!this.#areImagesStale) return;
    this.#areImagesStale = false;
    try {
      const images = await this.#options.parallels.listCachedImages(this.#closing.signal);
      if (this.#options.inventory.applyImages(images)) this.#tellChanges();
    } catch (error) {
      this.#areImagesStale = true;
      this.#options.log.debug({ err: error }, "cached images not read");
    }
  }

  /** Makes sure that a list comes within `delayMs`; one that is due earlier stays. */
  #listWithin(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    const { clock } = this.#options;
    const atMs = clock.monotonicMs() + delayMs;
    if (this.#nextList !== undefined && this.#nextList.atMs <= atMs) return;
    this.#nextList?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#nextList = undefined;
      this.refresh();
    });
    this.#nextList = { atMs, timer };
  }

  #noteSuccess(): void {
    if (this.#isFailing) this.#options.log.info("vm list works again");
    this.#isFailing = false;
  }

  #noteFailure(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    if (!this.#isFailing) this.#options.log.warn({ err: error }, "vm list failed");
    this.#isFailing = true;
    this.#options.onCallFailed(error);
  }
}
