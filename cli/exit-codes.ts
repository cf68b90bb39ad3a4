/** What the process's exit code tells a script. `vm exec` alone passes on the guest's own. */
export const exitCodes = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  notFound: 3,
  denied: 4,
  unavailable: 5,
  timedOut: 6,
  /** 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;
