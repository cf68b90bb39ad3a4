/** Settings of what callers may take of the server itself: so that one who asks too much slows down nobody else. */
import { number, span, type ValuesOf } from "./setting.ts";

const secondMs = 1000;
const manyMax = 1_000_000;

export const limitSettings = {
  /** Calls a second of one identity, in the long run: far above what a build system needs, a fraction of a core. */
  callsPerIdentity: number({
    default: 1_000,
    least: 1,
    most: manyMax,
    why: "somebody has to be able to call, and nobody calls more often",
  }),
  /** The same of all identities that call from one address, such as those behind one gateway. */
  callsPerAddress: number({
    default: 4_000,
    least: 1,
    most: manyMax,
    why: "somebody has to be able to call, and nobody calls more often",
  }),
  /** How long a time's worth of calls may come at once: a whole night's builds start in the same minute. */
  burstMs: span({
    default: 10 * secondMs,
    least: secondMs,
    most: 600 * secondMs,
    why: "calls come in bursts, and a bound that is met only after hours is none",
  }),
  /** Watches, commands in VMs and backups of one identity under way at once. */
  streamsPerIdentity: number({
    default: 1_000,
    least: 1,
    most: 50_000,
    isWhole: true,
    why: "a server has at most 50,000 calls under way",
  }),
  /** Waits of one identity under way at once: one for each VM that a build system waits for. */
  waitsPerIdentity: number({
    default: 10_000,
    least: 1,
    most: 50_000,
    isWhole: true,
    why: "a server has at most 50,000 calls under way",
  }),
  /** Failed logins a minute from one address that are answered at once. */
  failedLoginsPerAddress: number({
    default: 30,
    least: 1,
    most: 100_000,
    why: "whoever mistypes a token has to be told so",
  }),
};

export type LimitSettings = ValuesOf<typeof limitSettings>;
