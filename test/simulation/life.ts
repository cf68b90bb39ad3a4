/**
 * One life of a process, from its start to its crash. Everything through which the process touches the world asks here
 * first: once it is over, its timers do not fire, what it waits for never comes, and what it still does goes nowhere.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Scheduler } from "./scheduler.ts";

/** When every simulation begins, by the machines' clocks. */
const startWallMs = Date.UTC(2026, 0, 1);

/** No timer of Node's is shorter. */
const timerMinMs = 1;

/** A machine's clock that people may set. */
export interface Machine {
  wallOffsetMs: number;
}

export class Life {
  readonly clock: Clock;
  #isOver = false;

  constructor(scheduler: Scheduler, machine: Machine) {
    // Each process counts from a moment of its own.
    const bornMs = scheduler.nowMs;
    this.clock = {
      monotonicMs: () => scheduler.nowMs - bornMs,
      wallMs: () => startWallMs + scheduler.nowMs + machine.wallOffsetMs,
      after: (delayMs, action) => scheduler.after(Math.max(timerMinMs, delayMs), () => this.do(action)),
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }

  do(action: () => void): void {
    if (!this.#isOver) action();
  }

  /** The outcome of the work as the process sees it: if its life is over by then, it never does. */
  async outcome<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      return this.#isOver ? await never : result;
    } catch (error) {
      if (this.#isOver) return await never;
      throw error;
    }
  }
}

const never = new Promise<never>(() => undefined);
