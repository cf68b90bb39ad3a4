/** Run a short command in a running guest. An exit code other than 0 is an answer, not a failure. */
import type { ExecAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { type ExecuteResult, ParallelsError } from "../parallels/api.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { notRunning } from "./power.ts";
import { untilReachable } from "./retry.ts";
import { getVm } from "./vm-lookup.ts";

const execStep = "exec";

/** What the local service grants at most. */
const timeoutMaxMs = 180_000;

export async function exec(context: CommandContext, action: ExecAction): Promise<CommandOutcome> {
  if (context.begunStep === execStep) throw interrupted();
  const vm = await getVm(context);
  if (vm.state !== "running") throw notRunning(vm.state);
  const timeoutMs = action.timeoutMs > 0 ? Math.min(action.timeoutMs, timeoutMaxMs) : timeoutMaxMs;
  context.progress({ step: execStep });
  await context.begin(execStep);
  return { vm, exec: await execute(context, vm.id, action, timeoutMs) };
}

async function execute(
  context: CommandContext,
  vmId: string,
  action: ExecAction,
  timeoutMs: number,
): Promise<ExecuteResult> {
  const { parallels, signal } = context;
  const request = { command: action.command, env: action.env, timeoutMs, signal };
  try {
    return await untilReachable(context, () => parallels.execute(vmId, request));
  } catch (error) {
    if (!(error instanceof ParallelsError) || error.kind !== "timed-out") throw error;
    throw new CommandFailure(
      { reason: "ExecTimedOut", suspect: "request", isRetryable: false },
      `The command did not end within ${Math.round(timeoutMs / 1000)} s; it may still be running in the guest.`,
      error,
    );
  }
}

/** The answer was lost with the agent's earlier run, and a command must not be run twice. */
function interrupted(): CommandFailure {
  return new CommandFailure(
    { reason: "ExecInterrupted", suspect: "host", isRetryable: false },
    "The agent was restarted while the command ran; it may have been done, and its output is lost.",
  );
}
