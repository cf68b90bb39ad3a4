/** What the Macs of the benchmarks have: all are alike, and each holds the golden VMs that the templates name. */
import type {
  Heartbeat,
  HostCondition,
  HostFacts,
  HostVm,
} from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export const goldenVms = { macos: "golden-macos", linux: "golden-linux" } as const;

/** Room for two macOS VMs, the most that the licence allows, or for ten small Linux VMs. */
export const macFacts: Omit<HostFacts, "hardwareId"> = {
  architecture: "arm64",
  chip: "Apple M4 Pro",
  macosVersion: "26.1",
  parallelsVersion: "26.1.1",
  serviceVersion: "1.0.5",
  licence: "valid",
  agentVersion: "0.1.0",
  cpuCount: 12,
  memoryMib: 65_536,
  diskMib: 400_000,
  reserved: { cpuCount: 1, memoryMib: 2048, diskMib: 0 },
  address: "192.0.2.1",
};

/** What the real agent says of a Mac on which all is well. */
const conditions: HostCondition[] = [
  good("ParallelsReachable", "Answering", "The local Parallels API answers."),
  good("ParallelsVersionSupported", "Supported", "Parallels Desktop 26.1.1, service 1.0.5."),
  good("LicenceValid", "Valid", "Parallels Desktop has a valid licence."),
  good("DiskAboveReserve", "Enough", "300000 MiB of disk are free."),
  good("EventsFlowing", "Connected", "The local service's events arrive."),
];

/** As large as that of a real agent. */
export function macHeartbeat(inventorySequence: number, vms: Iterable<HostVm>): Heartbeat {
  const inUse = { cpuCount: 0, memoryMib: 0, diskMib: 0 };
  let macosGuests = 0;
  for (const { state, resources, macos } of vms) {
    if (state === "stopped" || resources === undefined) continue;
    inUse.cpuCount += resources.cpuCount;
    inUse.memoryMib += resources.memoryMib;
    if (macos) macosGuests += 1;
  }
  return {
    inUse,
    diskFreeMib: macFacts.diskMib - 100_000,
    diskTotalMib: macFacts.diskMib,
    macosGuests,
    conditions,
    inventorySequence,
  };
}

export function goldenVm(name: string, isMacos: boolean): HostVm {
  return {
    id: `{${name}}`,
    name,
    state: "stopped",
    os: isMacos ? "macosx" : "linux",
    resources: { cpuCount: 4, memoryMib: 8192, diskMib: 50_000 },
    ipAddresses: [],
    macos: isMacos,
    uptimeSeconds: 0,
  };
}

function good(type: string, reason: string, message: string): HostCondition {
  return { type, holds: true, reason, message };
}
