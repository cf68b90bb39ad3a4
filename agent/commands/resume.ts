/** Come back from suspended or paused and wait until ready. A stopped VM has nothing to come back to. */
import type { ResumeAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { bringTo, type PowerPlan, planRunning } from "./power.ts";
import { waitUntilReady } from "./readiness.ts";

export async function resume(context: CommandContext, action: ResumeAction): Promise<CommandOutcome> {
  const vm = await bringTo(context, planResumed);
  return { vm: await waitUntilReady(context, vm, action.readiness) };
}

const planResumed: PowerPlan = (state) => {
  if (state !== "stopped") return planRunning(state);
  const failure = new CommandFailure(
    { reason: "NotSuspended", suspect: "request", isRetryable: false },
    "The VM is stopped, so there is nothing to resume: start it instead.",
  );
  return { kind: "fail", failure };
};
