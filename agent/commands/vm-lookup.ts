/** Finding the VM that a command means. Only a fresh list counts. */
import type { Command } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { ParallelsVm } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { untilAnswered } from "./retry.ts";

/** The command's VM, or nothing when a fresh list does not show it. */
export async function findVm(context: CommandContext): Promise<ParallelsVm | undefined> {
  return pickVm(await listVms(context), context.command);
}

/** The command's VM; fails with VmNotFound when a fresh list does not show it. */
export async function getVm(context: CommandContext): Promise<ParallelsVm> {
  const vm = await findVm(context);
  if (vm !== undefined) return vm;
  const { hostVmName, hostVmId } = context.command;
  throw new CommandFailure(
    { reason: "VmNotFound", suspect: "host", isRetryable: false },
    `Parallels Desktop shows no VM "${hostVmName === "" ? hostVmId : hostVmName}" on this Mac.`,
  );
}

export function listVms(context: CommandContext): Promise<readonly ParallelsVm[]> {
  return untilAnswered(context, () => context.hostVms.listFresh(context.signal));
}

/**
 * The VM that the command means: by its id, else by the name that the pool gave it, else, for a VM that the pool does not own,
 * by the name that stands in the place of the id. A name that two VMs share fails with AmbiguousVmName.
 */
export function pickVm(vms: Iterable<ParallelsVm>, command: Command): ParallelsVm | undefined {
  const all = [...vms];
  const byId = command.hostVmId === "" ? undefined : all.find((vm) => vm.id === command.hostVmId);
  if (byId !== undefined) return byId;
  const name = command.hostVmName === "" && command.vmUid === "" ? command.hostVmId : command.hostVmName;
  return name === "" ? undefined : pickByName(all, name);
}

/** The VM of that id or, failing that, of that name. */
export function pickByReference(vms: readonly ParallelsVm[], reference: string): ParallelsVm | undefined {
  return vms.find((vm) => vm.id === reference) ?? pickByName(vms, reference);
}

function pickByName(vms: readonly ParallelsVm[], name: string): ParallelsVm | undefined {
  const [found, second] = vms.filter((vm) => vm.name === name);
  if (second === undefined) return found;
  throw new CommandFailure(
    { reason: "AmbiguousVmName", suspect: "request", isRetryable: false },
    `Several VMs on this Mac are named "${name}": rename them, or use the id.`,
  );
}
