/**
 * Takes the server's commands, sees to it that each is done once, one after the other for each VM, and reports how they are
 * doing. A command that was seen before is answered with its last update; one from an older session, or from an older
 * generation of its VM, is refused. Refusals are not remembered: the same command refused again costs nothing, and one that
 * was stale in one session may be valid in the next.
 */
import type { Clock } from "../../shared/clock.ts";
import {
  type Command,
  type CommandUpdate,
  CommandUpdate_State,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import type { HostVms } from "../inventory/host-vms.ts";
import type { ParallelsApi } from "../parallels/api.ts";
import { attempt } from "./attempt.ts";
import { findRefusal } from "./command-check.ts";
import type { CommandContext, CommandTuning, TcpProbe } from "./command-context.ts";
import type { CommandMemory } from "./command-memory.ts";
import { updateOf } from "./command-update.ts";
import { AgentStopping, CommandCancelled, describeFailure } from "./failure.ts";
import type { Action } from "./perform.ts";
import { ProgressReporter } from "./progress-reporter.ts";
import { Turns } from "./turns.ts";

export interface DispatcherOptions {
  readonly parallels: ParallelsApi;
  readonly hostVms: HostVms;
  readonly probeTcp: TcpProbe;
  readonly memory: CommandMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tuning: CommandTuning;
  /** How many VMs may be made at once on this Mac; read anew whenever it matters. */
  readonly parallelCreates: () => number;
  /** Sends an update, as well as the link can at the moment; what must not be lost is in the memory. */
  readonly report: (update: CommandUpdate) => void;
  /** A command has failed, perhaps because something is wrong with this Mac. */
  readonly onCallFailed: (error: unknown) => void;
}

/** When a command does not say how long it may be silent, in ms. */
const defaultSilenceLimitMs = 300_000;

export class CommandDispatcher {
  readonly #options: DispatcherOptions;
  readonly #vmTurns = new Turns();
  readonly #createTurns = new Turns();
  readonly #stopping = new AbortController();
  readonly #active = new Map<string, AbortController>();
  readonly #performing = new Set<Promise<void>>();
  #epoch = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** From now on commands of an older epoch are refused. */
  beginSession(epoch: number): void {
    this.#epoch = epoch;
  }

  /** Takes a command on, answers it from memory, or refuses it. Returns at once. */
  handle(command: Command): void {
    const { memory, report, log } = this.#options;
    if (this.#stopping.signal.aborted) return;
    if (command.id === "") {
      log.warn("command without an id ignored");
      return;
    }
    const known = memory.find(command.id);
    if (known !== undefined) {
      report(known);
      return;
    }
    const refusal = findRefusal(command, {
      epoch: this.#epoch,
      generation: command.vmUid === "" ? undefined : memory.generationOf(command.vmUid),
      unsettledCount: memory.unsettled().length,
    });
    if (refusal !== undefined || command.action === undefined) {
      const failure = describeFailure(refusal);
      log.warn({ command_id: command.id, vm_uid: command.vmUid, reason: failure.reason }, "command refused");
      report({ ...updateOf(command, CommandUpdate_State.STATE_REFUSED), failure });
      return;
    }
    this.#accept(command, command.action);
  }

  /** Withdraws a command; one that has ended or is not known stays as it is. */
  cancel(commandId: string, reason: string): void {
    const why =
      reason === "" ? "The server has withdrawn the command." : `The server has withdrawn the command: ${reason}`;
    this.#active.get(commandId)?.abort(new CommandCancelled(why));
  }

  /** Stops what is being done, where it is, and waits until nothing is. Open commands do not end by this. */
  async close(): Promise<void> {
    this.#stopping.abort(new AgentStopping("the agent is stopping"));
    for (const controller of this.#active.values()) controller.abort(this.#stopping.signal.reason);
    await Promise.allSettled(this.#performing);
  }

  #accept(command: Command, action: Action): void {
    const { memory } = this.#options;
    if (command.vmUid !== "") memory.noteGeneration(command.vmUid, command.generation);
    this.#tell(updateOf(command, CommandUpdate_State.STATE_ACCEPTED));
    const controller = new AbortController();
    this.#active.set(command.id, controller);
    const performing = this.#perform(command, action, controller.signal).finally(() => {
      this.#active.delete(command.id);
      this.#performing.delete(performing);
    });
    this.#performing.add(performing);
  }

  async #perform(command: Command, action: Action, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const startedMs = clock.monotonicMs();
    const reporter = new ProgressReporter(clock, (progress) => {
      this.#tell({ ...updateOf(command, CommandUpdate_State.STATE_RUNNING), progress });
    });
    const context = this.#contextOf(command, signal, reporter);
    let endTurn: (() => void) | undefined;
    try {
      const end = await attempt(context, action, async () => {
        endTurn = await this.#vmTurns.take(this.#vmKey(command), () => 1, signal);
      });
      reporter.end();
      if (end.kind === "interrupted") return;
      if (end.kind === "failed") this.#options.onCallFailed(end.error);
      this.#tell(end.update);
      log.info(
        {
          command_id: command.id,
          vm_uid: command.vmUid,
          kind: action.$case,
          duration_ms: Math.round(clock.monotonicMs() - startedMs),
          ...(end.kind === "failed" ? { reason: end.update.failure?.reason, err: end.error } : {}),
        },
        end.kind === "failed" ? "command failed" : "command succeeded",
      );
    } finally {
      reporter.end();
      endTurn?.();
    }
  }

  #contextOf(command: Command, signal: AbortSignal, reporter: ProgressReporter): CommandContext {
    const { clock, hostVms, log, parallelCreates, parallels, probeTcp, tuning } = this.#options;
    return {
      command,
      parallels,
      hostVms,
      probeTcp,
      createTurns: this.#createTurns,
      parallelCreates,
      clock,
      log,
      tuning,
      silenceLimitMs: command.silenceLimitMs > 0 ? command.silenceLimitMs : defaultSilenceLimitMs,
      signal,
      stopping: this.#stopping.signal,
      progress: (progress) => reporter.add(progress),
    };
  }

  /** Under which key the commands of one VM take turns. A VM of a person's may be meant by its id or by its name. */
  #vmKey(command: Command): string {
    if (command.vmUid !== "") return `uid:${command.vmUid}`;
    const vms = [...this.#options.hostVms.vms()];
    const reference = command.hostVmId === "" ? command.hostVmName : command.hostVmId;
    const vm = vms.find((one) => one.id === reference) ?? vms.find((one) => one.name === reference);
    return `host:${vm?.id ?? reference}`;
  }

  #tell(update: CommandUpdate): void {
    this.#options.memory.record(update);
    this.#options.report(update);
  }
}
