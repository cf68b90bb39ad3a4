/**
 * The simulated time: one queue of everything that will happen, in the order of its time. Nothing else moves a run on. After
 * each event all promises that it settled have had their turn, so that a run is the same every time.
 */
import type { Cancellable } from "../../shared/clock.ts";

interface Entry {
  readonly atMs: number;
  /** Among those of one time, the one that was asked for first goes first. */
  readonly order: number;
  action: (() => void) | undefined;
}

export class Scheduler {
  nowMs = 0;
  /** Called with what is thrown where nobody catches it: there a process would end. */
  onThrown: (error: unknown) => void = (error) => {
    throw error;
  };
  #count = 0;
  /** A binary heap: the next entry is the first. */
  readonly #heap: Entry[] = [];

  after(delayMs: number, action: () => void): Cancellable {
    const entry: Entry = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#count++, action };
    this.#push(entry);
    return {
      cancel: () => {
        entry.action = undefined;
      },
    };
  }

  /** Lets the next thing happen, and whatever it sets free. False: nothing is left that could, or nothing until then. */
  async step(untilMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) return false;
      this.#pop();
      const { action } = first;
      if (action === undefined) continue;
      this.nowMs = first.atMs;
      try {
        action();
      } catch (error) {
        this.onThrown(error);
      }
      await turnsOfPromises();
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || isBefore(parent, entry)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const next = isRight ? right : left;
      if (isBefore(last, next)) break;
      heap[at] = next;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/**
 * Two turns of Node's event loop, which wait for nothing: in the first all promises are settled, in the second what the
 * code put off until "the next turn" runs, with its promises.
 */
async function turnsOfPromises(): Promise<void> {
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}
