/**
 * How much of the server one caller may take: calls a second of each identity and each address, calls under way of each
 * identity, failed logins of each address. What is beyond is refused with LIMIT_REACHED and the time after which to try again,
 * and answered late, so that who asks again at once does so only as often as a second allows. Whoever proves who he is is let in
 * however often others failed to from his address.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { LimitSettings } from "../pool/settings/limits.ts";
import { addressKey } from "./address-key.ts";
import type { Caller } from "./caller.ts";
import { type Rate, Rates } from "./rate.ts";
import { Turns } from "./turns.ts";

/** Calls that go on: watches and other streams, and waits. */
export type HeldKind = "streams" | "waits";

/**
 * How late refusals are answered. Not at once even if the next call could soon be let through: of hundreds that are made again and
 * again at once, each would come for the same next place.
 */
const holdBackMs = { least: 500, most: 1_000 } as const;
const goldenRatio = 0.618_033_988_75;
/** How many refusals are held back at once; beyond that they are answered at once. Each costs about 20 KB. */
const heldBackMax = 1_000;
/** When a call under way may have ended. */
const heldRetryMs = 1_000;
/** So many resources in an answer cost about what a call costs: a page of a hundred VMs takes the time of 25. */
const resourcesPerCall = 4;
/** How many failed logins of an address are answered at once before its rate counts. */
const failedLoginsBurst = 10;

export class CallLimits {
  private readonly clock: Clock;
  private settings: LimitSettings;
  private readonly identities = new Rates();
  private readonly addresses = new Rates();
  private readonly failures = new Rates();
  private readonly held: Readonly<Record<HeldKind, Map<string, number>>> = { streams: new Map(), waits: new Map() };
  private heldBackCount = 0;
  private spread = 0;
  private readonly turns: Turns;

  constructor(clock: Clock, settings: LimitSettings) {
    this.clock = clock;
    this.turns = new Turns(clock);
    this.settings = settings;
  }

  /** How many refusals wait to be answered. */
  get heldBack(): number {
    return this.heldBackCount;
  }

  use(settings: LimitSettings): void {
    this.settings = settings;
  }

  /** Counts a call that begins. Returns why it may not; nothing if it may. */
  begin(caller: Caller): MeridianError | undefined {
    if (!isLimited(caller)) return undefined;
    const { callsPerIdentity, callsPerAddress } = this.settings;
    const nowMs = this.clock.monotonicMs();
    const ofIdentity = this.rateOf(callsPerIdentity);
    // What one identity is refused costs the others at its address nothing.
    const identityMs = this.identities.take(caller.principal, ofIdentity, nowMs);
    if (identityMs > 0)
      return tooOften(`calls of ${caller.principal}`, "calls_per_identity", callsPerIdentity, identityMs);
    const address = addressKey(caller.address);
    const addressMs = this.addresses.take(address, this.rateOf(callsPerAddress), nowMs);
    if (addressMs === 0) return undefined;
    this.identities.charge(caller.principal, ofIdentity, -1);
    return tooOften(`calls from ${address}`, "calls_per_address", callsPerAddress, addressMs);
  }

  /** Counts what a call has brought beyond itself. @param resources how many are in its answer. */
  charge(caller: Caller, resources: number): void {
    if (resources <= resourcesPerCall || !isLimited(caller)) return;
    const { callsPerIdentity, callsPerAddress } = this.settings;
    const calls = Math.floor(resources / resourcesPerCall);
    this.identities.charge(caller.principal, this.rateOf(callsPerIdentity), calls);
    this.addresses.charge(addressKey(caller.address), this.rateOf(callsPerAddress), calls);
  }

  /** Nothing if a call may begin now; otherwise resolves when it is its identity's turn. */
  turn(caller: Caller): Promise<void> | undefined {
    return isLimited(caller) ? this.turns.take(caller.principal) : undefined;
  }

  /** Counts a call that goes on until it is released. Throws LIMIT_REACHED. */
  hold(kind: HeldKind, caller: Caller): { readonly release: () => void } {
    if (!isLimited(caller)) return unlimited;
    const { principal } = caller;
    const counts = this.held[kind];
    const count = counts.get(principal) ?? 0;
    const most = kind === "streams" ? this.settings.streamsPerIdentity : this.settings.waitsPerIdentity;
    if (count >= most) throw tooMany(`${principal} has ${most} ${kind} under way`, `${kind}_per_identity`, most);
    counts.set(principal, count + 1);
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (counts.get(principal) ?? 1) - 1;
        if (left === 0) counts.delete(principal);
        else counts.set(principal, left);
      },
    };
  }

  /** Counts a failed login. Returns what to answer instead of why it failed; nothing if it may be told why. */
  failLogin(callAddress: string): MeridianError | undefined {
    const { failedLoginsPerAddress: most } = this.settings;
    const address = addressKey(callAddress);
    const waitMs = this.failures.take(
      address,
      { perSecond: most / 60, burst: failedLoginsBurst },
      this.clock.monotonicMs(),
    );
    if (waitMs === 0) return undefined;
    return new MeridianError(
      "LIMIT_REACHED",
      `too many logins from ${address} have failed; check the token, and try again later`,
      {
        metadata: { limit: "failed_logins_per_address", most: String(most), address },
        retryAfterMs: waitMs,
      },
    );
  }

  /** Resolves when the refusal is to be answered, or rejects when nobody waits for it any more. */
  async holdBack({ options: { retryAfterMs = 0 } }: MeridianError, signal?: AbortSignal): Promise<void> {
    if (this.heldBackCount >= heldBackMax) return;
    this.heldBackCount += 1;
    try {
      // Those that came together are not to come back together: the golden ratio spreads any number of them evenly.
      this.spread = (this.spread + goldenRatio) % 1;
      const { least, most } = holdBackMs;
      const delayMs = Math.max(Math.min(retryAfterMs, most), least + this.spread * (most - least));
      await sleep(this.clock, delayMs, signal);
    } finally {
      this.heldBackCount -= 1;
    }
  }

  private rateOf(perSecond: number): Rate {
    return { perSecond, burst: (perSecond * this.settings.burstMs) / 1000 };
  }
}

/** Nobody is told from anybody else on a server that asks nobody, which only its own machine reaches. */
function isLimited({ authentication }: Caller): boolean {
  return authentication !== "none";
}

const unlimited = { release: (): void => undefined };

function tooOften(what: string, limit: string, most: number, retryAfterMs: number): MeridianError {
  const message = `there are more ${what} than ${most} a second; ask less often, or have an admin raise limits.${limit}`;
  return new MeridianError("LIMIT_REACHED", message, { metadata: { limit, most: String(most) }, retryAfterMs });
}

function tooMany(what: string, limit: string, most: number): MeridianError {
  return new MeridianError(
    "LIMIT_REACHED",
    `${what}, which is the most; end one, or have an admin raise limits.${limit}`,
    {
      metadata: { limit, most: String(most) },
      retryAfterMs: heldRetryMs,
    },
  );
}
