/** What must be so some time after the last fault: everything is at rest, where it belongs, and nothing is left over. */
import { defaultProjectSpec } from "../../server/pool/project.ts";
import { brokenBound } from "../../server/pool/quota.ts";
import { isShut } from "../../server/pool/trouble.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord, VmState } from "../../server/pool/vm.ts";
import { parseHostVmName } from "../../shared/ids.ts";
import type { VmState as MacState } from "../../simulator/vm.ts";
import { ledgerDifference } from "./ledger-check.ts";
import { nameOnHost } from "./name-on-host.ts";
import type { World } from "./world.ts";

/** What a VM that rests in this state is on its Mac. */
const restingStates: Partial<Record<VmState, MacState>> = {
  RUNNING: "running",
  STOPPED: "stopped",
  SUSPENDED: "suspended",
  PAUSED: "paused",
};

const wantedStates = {
  running: "RUNNING",
  stopped: "STOPPED",
  suspended: "SUSPENDED",
  paused: "PAUSED",
  deleted: "DELETED",
} as const;

/** The first thing that has not settled, as a sentence; nothing if everything has. */
export function findUnsettled(world: World): string | undefined {
  const { view } = world.server;
  if (view === undefined) return "the server is down";
  for (const { id } of world.hosts) {
    const host = [...view.hosts.values()].find((one) => one.id === id);
    if (host === undefined) return `${id} is not known`;
    if (host.state !== "READY" || view.contact(host.id)?.isConnected !== true)
      return `${id} is ${host.state}, not connected`;
    const difference = ledgerDifference(view, host.id);
    if (difference !== undefined) return `${id}: ${difference}`;
  }
  for (const vm of view.vms.values()) {
    const unsettled = findUnsettledVm(world, vm);
    if (unsettled !== undefined) return unsettled;
  }
  return findLeftOver(world);
}

function findUnsettledVm(world: World, vm: VmRecord): string | undefined {
  const { view } = world.server;
  if (vm.state === "DELETED") return vm.host === undefined ? undefined : `${vm.id} is deleted and holds a host`;
  if (vm.state === "FAILED") return vm.failure === undefined ? `${vm.id} failed for no reason` : undefined;
  if (vm.state === "PENDING") {
    return view !== undefined && hasRoom(view, vm) ? `${vm.id} waits though there is room` : undefined;
  }
  if (vm.state !== wantedStates[vm.spec.wanted] || vm.command !== undefined) {
    return `${vm.id} is ${vm.state}, wanted ${vm.spec.wanted}, with ${vm.command?.kind ?? "no command"}`;
  }
  const name = nameOnHost(vm);
  const onMac = world.hosts.find(({ id }) => id === vm.host)?.mac.vms.find((one) => one.name === name);
  const expected = restingStates[vm.state];
  return onMac?.state === expected
    ? undefined
    : `${vm.id} is ${vm.state}, and on ${vm.host} ${onMac?.state ?? "absent"}`;
}

/** Whether the VM could be placed: its project has room in its quota, and a host that takes VMs has room. */
function hasRoom(view: PoolView, { image, resources, spec }: VmRecord): boolean {
  const { source } = image;
  const isMacos = image.guestOs === "macos";
  const { quota } = view.projects.get(spec.project)?.spec ?? defaultProjectSpec;
  if (brokenBound(quota, view.projectLedger(spec.project), { resources, isMacos }) !== undefined) return false;
  return [...view.hosts.values()].some((host) => {
    const ledger = view.ledger(host.id);
    if (isShut(host) || (source.kind === "clone" && source.host !== host.id)) return false;
    return (
      ledger.cpuTaken + resources.cpuCount <= ledger.cpuCapacity &&
      ledger.memoryTakenMib + resources.memoryMib <= ledger.memoryCapacityMib &&
      (!isMacos || ledger.macosTaken < ledger.macosSlots)
    );
  });
}

function findLeftOver(world: World): string | undefined {
  const { view } = world.server;
  const owned = new Set([...(view?.vms.values() ?? [])].map((vm) => `${vm.host}/${nameOnHost(vm)}`));
  for (const { id, mac } of world.hosts) {
    for (const vm of mac.vms) {
      if (parseHostVmName(vm.name) === undefined || owned.has(`${id}/${vm.name}`)) continue;
      return `${vm.name} stands on ${id} (${vm.state}), and no record owns it`;
    }
  }
  return undefined;
}
