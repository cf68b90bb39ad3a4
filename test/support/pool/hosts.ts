/** Builders of what hosts tell: a Mac with 12 CPUs, 64 GiB of memory and 1 TB of disk, unless told otherwise. */

import type { HostConnected, HostInventory, HostUse } from "../../../server/pool/events/host-reports.ts";
import type { HostFacts, HostVm } from "../../../server/pool/host.ts";
import { asHostId } from "../../../shared/ids.ts";
import { defaultGoldenVm, defaultResources, uidFor } from "./specs.ts";

export const defaultTotal = { cpuCount: 12, memoryMib: 65_536, diskMib: 1_000_000 };

export function hostFacts(fields: Partial<HostFacts> = {}): HostFacts {
  return {
    hardwareId: "hardware",
    architecture: "arm64",
    chip: "Apple M4 Pro",
    macosVersion: "26.1",
    parallelsVersion: "26.1.0",
    serviceVersion: "1.0.5",
    licence: "valid",
    agentVersion: "0.1.0",
    total: defaultTotal,
    reserved: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    address: "192.0.2.1",
    ...fields,
  };
}

export function hostUse(fields: Partial<HostUse> = {}): HostUse {
  return {
    inUse: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    diskFreeMib: defaultTotal.diskMib,
    diskTotalMib: defaultTotal.diskMib,
    macosGuests: 0,
    conditions: [{ type: "LicenceValid", holds: true, reason: "Valid", message: "" }],
    ...fields,
  };
}

/** A VM as Parallels Desktop shows it; its id is made from its name. */
export function hostVm(name: string, fields: Partial<HostVm> = {}): HostVm {
  return {
    id: `{${name}}`,
    name,
    state: "stopped",
    os: "linux",
    resources: defaultResources,
    ipAddresses: [],
    isMacos: false,
    uptimeSeconds: 0,
    ...fields,
  };
}

/** A golden VM, which takes nothing: so that the numbers in tests are those of the VMs that they are about. */
export function goldenVm(name: string = defaultGoldenVm): HostVm {
  return hostVm(name, { resources: { cpuCount: 2, memoryMib: 4096, diskMib: 0 } });
}

/** Everything that the host has. */
export function wholeInventory(
  vms: readonly HostVm[] = [goldenVm()],
  fields: Partial<HostInventory> = {},
): HostInventory {
  return { isWhole: true, vms, removedIds: [], ...fields };
}

/** What is new or changed, and what is gone. */
export function changedInventory(vms: readonly HostVm[], removedIds: readonly string[] = []): HostInventory {
  return { isWhole: false, vms, removedIds };
}

export function hostConnected(name: string, fields: Partial<HostConnected> = {}): HostConnected {
  return {
    type: "host-connected",
    id: asHostId(name),
    uid: uidFor(name),
    sessionId: `session-of-${name}`,
    facts: hostFacts(),
    agentLabels: {},
    inventory: wholeInventory(),
    use: hostUse(),
    commands: [],
    ...fields,
  };
}
