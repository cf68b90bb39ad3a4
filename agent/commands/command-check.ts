/** What must be right about a command before it is begun. What is not, is refused with a sentence; nothing was done then. */
import type { Command } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandFailure } from "./failure.ts";

export interface CheckContext {
  /** The epoch of the agent's session. */
  readonly epoch: number;
  /** The highest generation that was seen for the command's VM. */
  readonly generation: number | undefined;
  /** Commands that are remembered and not settled. */
  readonly unsettledCount: number;
}

/** Commands that may be open at once; a Mac runs a few VMs, so more is a server that floods. */
export const unsettledMax = 512;

/** Why the command is refused, or nothing. */
export function findRefusal(command: Command, context: CheckContext): CommandFailure | undefined {
  if (command.epoch < context.epoch) {
    return refusal("StaleEpoch", `The command is of epoch ${command.epoch}, the session of ${context.epoch}.`);
  }
  if (context.generation !== undefined && command.generation < context.generation) {
    return refusal(
      "StaleGeneration",
      `The command follows from generation ${command.generation} of the VM; ${context.generation} was seen already.`,
    );
  }
  if (command.action === undefined) {
    return refusal("UnknownCommand", "The agent does not know this kind of command: update the agent.");
  }
  const fault = findFault(command);
  if (fault !== undefined) return refusal("CommandInvalid", fault);
  if (context.unsettledCount >= unsettledMax) {
    return new CommandFailure(
      { reason: "TooManyCommands", suspect: "server", isRetryable: true },
      `The agent holds ${context.unsettledCount} commands that have not ended or are not acknowledged.`,
    );
  }
  return undefined;
}

function findFault(command: Command): string | undefined {
  if (command.action?.$case === "purgeImage") {
    const { catalogId, version } = command.action.purgeImage;
    return catalogId === "" || version === "" ? "The command does not name an image and its version." : undefined;
  }
  if (command.hostVmName === "" && command.hostVmId === "") return "The command names no VM.";
  switch (command.action?.$case) {
    case "create": {
      const { source } = command.action.create;
      if (command.hostVmName === "") return "The command does not say how the new VM is to be named.";
      if (source === undefined) return "The command does not say what the VM is to be made of.";
      if (source.$case === "hostVm" && source.hostVm === "") return "The command does not name the VM to clone from.";
      if (source.$case === "catalog" && source.catalog.catalogId === "") return "The command does not name the image.";
      return undefined;
    }
    case "prefetchImage": {
      const { image } = command.action.prefetchImage;
      if (command.hostVmName === "") return "The command does not say how the passing VM is to be named.";
      return image === undefined || image.catalogId === "" ? "The command does not name the image." : undefined;
    }
    case "exec":
      return command.action.exec.command.length === 0 ? "The command does not say what to run." : undefined;
    default:
      return undefined;
  }
}

function refusal(reason: string, message: string): CommandFailure {
  return new CommandFailure({ reason, suspect: "server", isRetryable: false }, message);
}
