/** The updates that a command's states are told by. */
import {
  type Command,
  type CommandUpdate,
  CommandUpdate_State,
  type ExecResult,
  type HostVm,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { toHostVm } from "../inventory/host-vm.ts";
import type { ExecuteResult } from "../parallels/api.ts";
import type { CommandOutcome } from "./command-context.ts";
import { describeFailure } from "./failure.ts";

/** What is kept of each output of a command in a guest, in bytes: it waits in memory until the server has it. */
const outputMaxBytes = 256 * 1024;

/** An update of that state with nothing more to tell. */
export function updateOf(command: Command, state: CommandUpdate_State): CommandUpdate {
  return {
    commandId: command.id,
    vmUid: command.vmUid,
    state,
    progress: undefined,
    failure: undefined,
    vm: undefined,
    exec: undefined,
    vmUnknown: false,
  };
}

export function succeeded(command: Command, outcome: CommandOutcome): CommandUpdate {
  return {
    ...updateOf(command, CommandUpdate_State.STATE_SUCCEEDED),
    vm: outcome.vm === undefined ? undefined : toHostVm(outcome.vm),
    exec: outcome.exec === undefined ? undefined : toExecResult(outcome.exec),
  };
}

/** @param vm what is there of the VM, if anything; "unknown" if nobody could look. */
export function failed(command: Command, error: unknown, vm: HostVm | "unknown" | undefined): CommandUpdate {
  const seen = vm === "unknown" ? { vmUnknown: true } : { vm };
  return { ...updateOf(command, CommandUpdate_State.STATE_FAILED), failure: describeFailure(error), ...seen };
}

function toExecResult(result: ExecuteResult): ExecResult {
  return {
    stdout: Buffer.from(result.stdout).subarray(0, outputMaxBytes),
    stderr: Buffer.from(result.stderr).subarray(0, outputMaxBytes),
    exitCode: Number.isInteger(result.exitCode) ? result.exitCode | 0 : -1,
  };
}
