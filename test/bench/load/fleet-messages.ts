/** What the main process and a process full of agents tell each other. */

export interface FleetOrder {
  readonly kind: "connect";
  /** Where agents dial, `host:port`. */
  readonly server: string;
  /** The number of the first host of this process, and how many there are. */
  readonly first: number;
  readonly count: number;
  /** The time between heartbeats. Absent: as the server says. */
  readonly heartbeatPeriodMs?: number;
  /** Lets the hosts into a secure pool. Absent: the server asks nobody. */
  readonly joinToken?: string;
}

export type FleetReport =
  /** All agents of the process are connected. */
  | { readonly kind: "connected" }
  /** An agent has said that a VM is gone. */
  | { readonly kind: "deleted"; readonly vmUid: string; readonly atMs: number }
  | { readonly kind: "failed"; readonly message: string };
