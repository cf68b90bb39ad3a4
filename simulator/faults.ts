/**
 * What goes wrong on a Mac, as knobs that can be turned while it runs. Every call of the service passes through here and
 * meets, in this order: a hang, the delay, a failure. A fault says what the real service would: most failures are those of
 * `prlctl`.
 */
import { type Clock, sleep } from "../shared/clock.ts";
import type { DelayName, Delays, Verb } from "./delays.ts";
import type { Random } from "./random.ts";
import { prlctlFailed, type ServiceError } from "./service-error.ts";

export interface FailureFault {
  /** What fails, in the words of `prlctl`, or a whole error. Default "Operation failed". */
  readonly error?: string | ServiceError;
  /** How often it fails, then it works again. Default: until it is cleared. */
  readonly times?: number;
  /** The probability of each call's failing, 0 to 1. Default 1. */
  readonly rate?: number;
}

export interface FaultsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly delays: Delays;
  /** The probability, 0 to 1, that a verb fails, from the start. */
  readonly failRates: Readonly<Partial<Record<Verb, number>>>;
}

export class Faults {
  /** The event socket stays connected and says nothing: no events, no pings, no greeting. */
  areEventsSilent = false;
  /** The next pulls, so many, go quiet: the service gives up on their jobs, and the work goes on to its end. */
  quietPulls = 0;

  readonly #clock: Clock;
  readonly #random: Random;
  readonly #delays: Delays;
  readonly #failRates: FaultsOptions["failRates"];
  /** Made only once a fault is set, since most of many thousand Macs have none. */
  #byVerb: Map<Verb, VerbFaults> | undefined;

  constructor(options: FaultsOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#delays = options.delays;
    this.#failRates = options.failRates;
  }

  /** From now on the verb takes `extraMs` longer. */
  slow(verb: Verb, extraMs: number): void {
    this.#of(verb).extraMs = extraMs;
  }

  /** From now on the verb fails, as often as the fault says. */
  fail(verb: Verb, fault: FailureFault = {}): void {
    this.#of(verb).failure = { ...fault, left: fault.times ?? Number.POSITIVE_INFINITY };
  }

  /** From now on calls of the verb are not answered until the fault is cleared; then they go on. */
  hang(verb: Verb): void {
    this.#of(verb).isHanging = true;
  }

  /** Ends the faults of one verb, or of all; calls that hang go on. */
  clear(verb?: Verb): void {
    if (verb === undefined) {
      this.areEventsSilent = false;
      this.quietPulls = 0;
    }
    for (const [name, faults] of this.#byVerb ?? []) {
      if (verb !== undefined && verb !== name) continue;
      this.#byVerb?.delete(name);
      for (const release of faults.waiting) release();
    }
  }

  /**
   * One call of the service: resolves when its time is over.
   * @throws ServiceError if it is to fail.
   */
  async pass(verb: Verb): Promise<void> {
    const faults = this.#byVerb?.get(verb);
    if (faults?.isHanging === true) await new Promise<void>((resolve) => faults.waiting.push(resolve));
    const delayMs = this.draw(verb) + (faults?.extraMs ?? 0);
    if (delayMs > 0) await sleep(this.#clock, delayMs);
    this.check(verb);
  }

  /**
   * Only the failure of a call, for work that takes its time elsewhere.
   * @throws ServiceError if it is to fail.
   */
  check(verb: Verb): void {
    const failure = this.#byVerb?.get(verb)?.failure;
    if (failure !== undefined && failure.left > 0 && this.#random.chance(failure.rate ?? 1)) {
      failure.left -= 1;
      throw toError(failure.error);
    }
    if (this.#random.chance(this.#failRates[verb] ?? 0)) throw toError(undefined);
  }

  /** A delay of the range that the settings give, in ms. */
  draw(name: DelayName): number {
    const [minMs, maxMs] = this.#delays[name];
    return maxMs <= 0 ? 0 : this.#random.between(minMs, maxMs);
  }

  #of(verb: Verb): VerbFaults {
    this.#byVerb ??= new Map();
    let faults = this.#byVerb.get(verb);
    if (faults === undefined) {
      faults = { extraMs: 0, isHanging: false, failure: undefined, waiting: [] };
      this.#byVerb.set(verb, faults);
    }
    return faults;
  }
}

interface VerbFaults {
  extraMs: number;
  isHanging: boolean;
  failure: (FailureFault & { left: number }) | undefined;
  /** Calls that hang; as many as callers wait, who have limits of their own. */
  readonly waiting: (() => void)[];
}

function toError(error: string | ServiceError | undefined): ServiceError {
  return typeof error === "object" ? error : prlctlFailed(error ?? "Operation failed");
}
