/**
 * How long the simulated service takes: one range for each thing it does. The defaults are what a Mac of today shows,
 * rounded; tests that do not care about time use `noDelays`.
 */

/** What the service does when it is called: each can be delayed and made to fail on its own. */
export const verbs = [
  "list",
  "get",
  "status",
  "hardware",
  "diskSpace",
  "licence",
  "cache",
  "jobs",
  "start",
  "stop",
  "restart",
  "pause",
  "suspend",
  "resume",
  "reset",
  "delete",
  "clone",
  "configure",
  "rename",
  "register",
  "unregister",
  "execute",
  /** Accepting a create; the pull itself is the next four. */
  "create",
  "catalog",
  "download",
  "unpack",
  "addToParallels",
] as const;
export type Verb = (typeof verbs)[number];

/** What takes time without being called. */
type Lag =
  /** A look-up of an id that nobody knows: the service tries ten times before it gives up. */
  | "unknownVm"
  /** From "running" to the guest's address. */
  | "boot"
  /** From a change of state to the event with the whole VM. */
  | "vmUpdate"
  /** How long the service collects events before it writes them to a listener. */
  | "eventFlush";

export type DelayName = Verb | Lag;

/** At least and at most, in ms. */
export type DelayRange = readonly [minMs: number, maxMs: number];

export type Delays = Readonly<Record<DelayName, DelayRange>>;

export const realisticDelays: Delays = {
  list: [2, 10],
  get: [2, 10],
  status: [150, 400],
  hardware: [100, 400],
  diskSpace: [5, 30],
  licence: [100, 300],
  cache: [5, 40],
  jobs: [2, 10],
  start: [1_500, 4_000],
  stop: [3_000, 12_000],
  restart: [5_000, 15_000],
  pause: [300, 900],
  suspend: [2_000, 8_000],
  resume: [1_000, 5_000],
  reset: [500, 1_500],
  delete: [500, 2_000],
  clone: [1_000, 4_000],
  configure: [200, 600],
  rename: [200, 600],
  register: [500, 2_000],
  unregister: [300, 900],
  execute: [150, 400],
  create: [5, 30],
  catalog: [100, 500],
  download: [30_000, 240_000],
  unpack: [5_000, 20_000],
  addToParallels: [500, 2_000],
  unknownVm: [5_000, 6_000],
  boot: [8_000, 30_000],
  vmUpdate: [1_000, 1_200],
  eventFlush: [100, 100],
};

/** Nothing takes time: calls are answered, and events written, at once. */
export const noDelays: Delays = mapDelays(() => [0, 0]);

/** Every delay, made from its realistic range. */
function mapDelays(change: (range: DelayRange) => DelayRange): Delays {
  const entries = Object.entries(realisticDelays).map(([name, range]) => [name, change(range)]);
  // The keys are those of `realisticDelays`, which has all of them.
  return Object.fromEntries(entries) as Delays;
}
