/** Change CPU and memory of a stopped VM. The local service cannot change the size of a disk, so that figure is left alone. */
import type { Amounts, ConfigureAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { ParallelsVm, VmConfiguration } from "../parallels/api.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { untilReachable } from "./retry.ts";
import { getVm } from "./vm-lookup.ts";

export async function configure(context: CommandContext, action: ConfigureAction): Promise<CommandOutcome> {
  const vm = await getVm(context);
  if (vm.state !== "stopped") {
    throw new CommandFailure(
      { reason: "NotStopped", suspect: "request", isRetryable: false },
      `The VM is "${vm.state}"; CPU and memory of a stopped VM can be changed: stop it first.`,
    );
  }
  return { vm: await applyResources(context, vm, action.resources) };
}

/** Gives the stopped VM what is asked for and different from what it has; the VM as it then is. */
export async function applyResources(
  context: CommandContext,
  vm: ParallelsVm,
  wanted: Amounts | undefined,
): Promise<ParallelsVm> {
  const change: VmConfiguration = {
    ...(wanted !== undefined && wanted.cpuCount > 0 && wanted.cpuCount !== vm.cpuCount
      ? { cpuCount: wanted.cpuCount }
      : {}),
    ...(wanted !== undefined && wanted.memoryMib > 0 && wanted.memoryMib !== vm.memoryMib
      ? { memoryMib: wanted.memoryMib }
      : {}),
  };
  if (Object.keys(change).length === 0) return vm;
  context.progress({ step: "configure" });
  await untilReachable(context, () => context.parallels.configureVm(vm.id, change, context.signal));
  return getVm(context);
}
