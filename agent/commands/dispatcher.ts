/**
 * Takes the server's commands, sees to it that each is done once, one after the other for each VM, and reports how they are
 * doing. A command is remembered before it is begun, its end before it is told, and one that an earlier run of the agent left
 * open is taken up again. One that was seen before is answered with its last update; one from an older session, or from an
 * older generation of its VM, is refused. Refusals are not remembered: the same command refused again costs nothing, and one
 * that was stale in one session may be valid in the next.
 */
import type { Clock } from "../../shared/clock.ts";
import {
  Command,
  type CommandUpdate,
  CommandUpdate_State,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import { orAborted } from "../deadline.ts";
import type { HostVms } from "../inventory/host-vms.ts";
import type { ParallelsApi } from "../parallels/api.ts";
import { attempt } from "./attempt.ts";
import { findRefusal } from "./command-check.ts";
import type { CommandContext, CommandTuning, TcpProbe } from "./command-context.ts";
import type { CommandMemory } from "./command-memory.ts";
import { updateOf } from "./command-update.ts";
import { deleteVm } from "./delete.ts";
import { AgentStopping, CommandCancelled, describeFailure, journalNotWritten, leaseEnded } from "./failure.ts";
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
  /** A command is about to be taken on. */
  readonly onAccept: (command: Command) => void;
  /** Sends an update, as well as the link can at the moment; what must not be lost is in the memory. */
  readonly report: (update: CommandUpdate) => void;
  /** A command has failed, perhaps because something is wrong with this Mac. */
  readonly onCallFailed: (error: unknown) => void;
}

/** A VM of the pool that must go. */
export type EndedVm = Pick<Command, "vmUid" | "hostVmName" | "hostVmId">;

/** When a command does not say how long it may be silent, in ms. */
const defaultSilenceLimitMs = 300_000;

export class CommandDispatcher {
  readonly #options: DispatcherOptions;
  readonly #vmTurns = new Turns();
  readonly #createTurns = new Turns();
  readonly #stopping = new AbortController();
  readonly #active = new Map<string, { readonly command: Command; readonly controller: AbortController }>();
  readonly #performing = new Set<Promise<void>>();
  /** Commands that are being remembered: they are answered once that is done. */
  readonly #accepting = new Set<string>();
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
    if (this.#accepting.has(command.id)) return;
    const known = memory.find(command.id);
    if (known !== undefined) {
      report(known);
      return;
    }
    const refusal = findRefusal(command, {
      epoch: this.#epoch,
      generation: command.vmUid === "" ? undefined : memory.generationOf(command.vmUid),
      unsettledCount: memory.unsettledCount,
    });
    if (refusal !== undefined || command.action === undefined) {
      this.#refuse(command, refusal);
      return;
    }
    const { action } = command;
    this.#options.onAccept(command);
    this.#begin(command, async (signal) => {
      if (await this.#accept(command)) await this.#perform(command, action, { signal, begunStep: "" });
    });
  }

  /** Takes up what an earlier run of the agent left open; to be called once, before the first command is handled. */
  resume(): void {
    const open = this.#options.memory.open();
    if (open.length > 0) this.#options.log.info({ commands: open.length }, "commands of an earlier run taken up again");
    for (const { command, step } of open) {
      const { action } = command;
      // Only what has an action was taken on.
      if (action === undefined) continue;
      this.#begin(command, (signal) => this.#perform(command, action, { signal, begunStep: step }));
    }
  }

  /**
   * Ends the VM of a lease that has run out: what is being done to it is broken off, its power cut, and it is removed.
   * Resolves when a fresh list no longer shows it; rejects when that could not be done now.
   */
  async endVm(vm: EndedVm, signal: AbortSignal): Promise<void> {
    for (const { command, controller } of this.#active.values()) {
      // An earlier attempt of the same VM has another name.
      if (command.vmUid === vm.vmUid && (vm.hostVmName === "" || command.hostVmName === vm.hostVmName))
        controller.abort(leaseEnded());
    }
    const command = Command.create({
      id: `lease-${vm.hostVmName}`,
      ...vm,
      action: { $case: "delete", delete: { force: true } },
    });
    const stop = AbortSignal.any([signal, this.#stopping.signal]);
    const endTurn = await this.#vmTurns.take(this.#vmKey(command), () => 1, stop);
    try {
      await deleteVm(this.#contextOf(command, { signal: stop, begunStep: "", progress: () => undefined }), {
        force: true,
      });
    } finally {
      endTurn();
    }
  }

  /** Withdraws a command; one that has ended or is not known stays as it is. */
  cancel(commandId: string, reason: string): void {
    const why =
      reason === "" ? "The server has withdrawn the command." : `The server has withdrawn the command: ${reason}`;
    this.#active.get(commandId)?.controller.abort(new CommandCancelled(why));
  }

  /** Stops what is being done, where it is, and waits until nothing is. Open commands do not end by this. */
  async close(): Promise<void> {
    this.#stopping.abort(new AgentStopping("the agent is stopping"));
    for (const { controller } of this.#active.values()) controller.abort(this.#stopping.signal.reason);
    await Promise.allSettled(this.#performing);
  }

  #refuse(command: Command, refusal: unknown): void {
    const { log, report } = this.#options;
    const failure = describeFailure(refusal);
    log.warn({ command_id: command.id, vm_uid: command.vmUid, reason: failure.reason }, "command refused");
    report({ ...updateOf(command, CommandUpdate_State.STATE_REFUSED), failure });
  }

  /** Whether the command is remembered, so that it may be begun. */
  async #accept(command: Command): Promise<boolean> {
    const { memory, report } = this.#options;
    const accepted = updateOf(command, CommandUpdate_State.STATE_ACCEPTED);
    this.#accepting.add(command.id);
    try {
      await memory.accept(command, accepted);
    } catch (error) {
      this.#refuse(command, journalNotWritten(error));
      return false;
    } finally {
      this.#accepting.delete(command.id);
    }
    report(accepted);
    return true;
  }

  #begin(command: Command, work: (signal: AbortSignal) => Promise<void>): void {
    const controller = new AbortController();
    this.#active.set(command.id, { command, controller });
    const performing = work(controller.signal).finally(() => {
      this.#active.delete(command.id);
      this.#performing.delete(performing);
    });
    this.#performing.add(performing);
  }

  async #perform(command: Command, action: Action, run: Pick<CommandContext, "signal" | "begunStep">): Promise<void> {
    const { clock, log, memory, report } = this.#options;
    const startedMs = clock.monotonicMs();
    const reporter = new ProgressReporter(clock, (progress) => {
      const update = { ...updateOf(command, CommandUpdate_State.STATE_RUNNING), progress };
      // Where a command stood, the next look at the Mac tells as well.
      memory.record(update).catch(() => undefined);
      report(update);
    });
    const context = this.#contextOf(command, { ...run, progress: (progress) => reporter.add(progress) });
    let endTurn: (() => void) | undefined;
    try {
      const end = await attempt(context, action, async () => {
        endTurn = await this.#vmTurns.take(this.#vmKey(command), () => 1, run.signal);
      });
      reporter.end();
      if (end.kind === "interrupted") return;
      if (end.kind === "failed") this.#options.onCallFailed(end.error);
      if (!(await this.#rememberEnd(end.update, () => endTurn?.()))) return;
      report(end.update);
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

  /**
   * Whether the end is remembered, so that it may be told: one that was told and forgotten would be done again by the next run
   * of the agent. The VM's turn is over as soon as the disk makes this long, so that a lease can still end the VM.
   */
  async #rememberEnd(update: CommandUpdate, endTurn: () => void): Promise<boolean> {
    const { log, memory } = this.#options;
    const onDelayed = (): void => {
      log.warn({ command_id: update.commandId }, "command has ended; told as soon as the journal can be written");
      endTurn();
    };
    try {
      await orAborted(memory.recordEnd(update, onDelayed), this.#stopping.signal);
      return true;
    } catch (error) {
      if (this.#stopping.signal.aborted) return false;
      throw error;
    }
  }

  #contextOf(command: Command, run: Pick<CommandContext, "signal" | "begunStep" | "progress">): CommandContext {
    const { clock, hostVms, log, memory, parallelCreates, parallels, probeTcp, tuning } = this.#options;
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
      stopping: this.#stopping.signal,
      begin: async (step) => {
        await memory.begin(command.id, step).catch((error: unknown) => {
          throw journalNotWritten(error);
        });
      },
      ...run,
    };
  }

  /** Under which key the commands of one VM, or image, take turns. A VM of a person's may be meant by its id or by its name. */
  #vmKey(command: Command): string {
    if (command.action?.$case === "purgeImage") {
      const { catalogId, version } = command.action.purgeImage;
      return `image:${catalogId.toUpperCase()}/${version}`;
    }
    if (command.vmUid !== "") return `uid:${command.vmUid}`;
    const vms = [...this.#options.hostVms.vms()];
    const reference = command.hostVmId === "" ? command.hostVmName : command.hostVmId;
    const vm = vms.find((one) => one.id === reference) ?? vms.find((one) => one.name === reference);
    return `host:${vm?.id ?? reference}`;
  }
}
