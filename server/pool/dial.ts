/** Which dial of which run of its agent a host's Hello came by: what tells one that was held up from a newer one. */

export interface DialNumber {
  /** Within what is counted; numbers of different series say nothing. */
  readonly series: string;
  /** Counts the agent's starts. */
  readonly run: number;
  /** Counts the dials of that run. */
  readonly dial: number;
}

/** Whether a Hello is older than the newest known one, or the same again. Agents that do not count are believed. */
export function isOutdated(dial: DialNumber | undefined, newest: DialNumber | undefined): boolean {
  if (dial === undefined || newest === undefined || dial.series !== newest.series) return false;
  return dial.run < newest.run || (dial.run === newest.run && dial.dial <= newest.dial);
}
