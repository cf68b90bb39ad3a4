/**
 * What a command is given to do its work with: ports, time and a way to say how far it is. Nothing here touches the machine
 * by itself, so that commands run the same in a simulation.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Command, Progress } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import type { HostVms } from "../inventory/host-vms.ts";
import type { ExecuteResult, ParallelsApi, ParallelsVm } from "../parallels/api.ts";
import type { Turns } from "./turns.ts";

export interface CommandContext {
  readonly command: Command;
  readonly parallels: ParallelsApi;
  readonly hostVms: HostVms;
  readonly probeTcp: TcpProbe;
  /** The lines in which the makings of VMs stand. */
  readonly createTurns: Turns;
  /** How many VMs may be made at once on this Mac. */
  readonly parallelCreates: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tuning: CommandTuning;
  /** How long the command may take without any progress, in ms. */
  readonly silenceLimitMs: number;
  /** The last step that an earlier run of the agent told to `begin`; empty if none. What it left undone is done here. */
  readonly begunStep: string;
  /**
   * Remembers that a step is about to be done that must not be done twice. It may be done when this resolves; fails with
   * JournalNotWritten when that cannot be remembered.
   */
  readonly begin: (step: string) => Promise<void>;
  /** Aborted with `CommandCancelled` when the server withdraws the command, with a `CommandFailure` when its VM's lease runs
   * out, with `AgentStopping` when the agent stops. */
  readonly signal: AbortSignal;
  /** Aborted only when the agent stops: for cleaning up after a command that was cancelled. */
  readonly stopping: AbortSignal;
  /** Says how far the command is; sent at most once a second, or when the step changes. */
  readonly progress: (progress: Partial<Progress> & { readonly step: string }) => void;
}

/** What a command that succeeded has to tell. */
export interface CommandOutcome {
  /** The VM as a fresh list shows it; nothing when it is gone. */
  readonly vm?: ParallelsVm;
  readonly exec?: ExecuteResult;
}

/** Resolves when a TCP connection to the address was accepted; rejects when not, within `limitMs`. */
export type TcpProbe = (target: {
  readonly host: string;
  readonly port: number;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}) => Promise<void>;

export interface CommandTuning {
  /** How long a call waits for an unreachable local service to come back, in ms. Default 120,000: a service that restarts,
   * or a Mac that installs an update of it, is back by then. */
  readonly unreachableLimitMs: number;
  /** How long a guest may take to shut down before the power is cut, in ms. Default 90,000. */
  readonly shutdownLimitMs: number;
  /** How long lists may lag behind what the service says it has done, in ms. Default 15,000. */
  readonly listLagMs: number;
  /** The longest time between two looks while waiting for something that events should announce, in ms. Default 2,000. */
  readonly lookPeriodMs: number;
  /** The time between two questions after a job that says nothing, in ms. Default 5,000. */
  readonly jobPeriodMs: number;
  /** How long a ready guest may take to show an address, in ms. Default 10,000. */
  readonly addressLimitMs: number;
  /** How long the removal of what a failed create left may take, in ms. Default 120,000. */
  readonly cleanupLimitMs: number;
}

export const defaultCommandTuning: CommandTuning = {
  unreachableLimitMs: 120_000,
  shutdownLimitMs: 90_000,
  listLagMs: 15_000,
  lookPeriodMs: 2_000,
  jobPeriodMs: 5_000,
  addressLimitMs: 10_000,
  cleanupLimitMs: 120_000,
};
