/** How long each kind of call may take. */

export interface TimeLimits {
  /** The exchange of a key or a password for a token, in ms. Default 10 s. */
  readonly loginMs: number;
  /** Lists and facts, in ms. Default 30 s: mostly from the service's memory, but an unknown id takes it five seconds. */
  readonly readMs: number;
  /** A change of a VM, in ms. Default 200 s: the service gives `prlctl` three minutes. */
  readonly changeMs: number;
  /** The removal of a VM or of a cached image, in ms. Default 10 min: it may stop the VM first, and its files are large. */
  readonly deleteMs: number;
  /** To begin a create, in ms. Default 60 s: the work itself is a job. */
  readonly createMs: number;
}

export const defaultTimeLimits: TimeLimits = {
  loginMs: 10_000,
  readMs: 30_000,
  changeMs: 200_000,
  deleteMs: 600_000,
  createMs: 60_000,
};
