/** The model's things in the words of the agent's port. */
import type { CachedManifest, HostHardware, ParallelsJob, ParallelsVm } from "../agent/parallels/api.ts";
import type { CachedImage } from "./cached-image.ts";
import type { Job } from "./job.ts";
import type { SimulatedMac } from "./mac.ts";
import { osVersion, parallelsVersion, serviceReserved } from "./mac-facts.ts";
import type { Vm } from "./vm.ts";

export function toHardware(mac: SimulatedMac): HostHardware {
  const { facts } = mac;
  return {
    architecture: facts.architecture,
    chip: facts.chip,
    osVersion,
    parallelsVersion,
    serviceVersion: facts.serviceVersion,
    isLicensed: mac.wasLicensedAtStart,
    address: "127.0.0.1",
    totalCpuCount: facts.cpuCount,
    totalMemoryMib: facts.memoryMib,
    reservedCpuCount: serviceReserved.cpuCount,
    reservedMemoryMib: serviceReserved.memoryMib,
    reservedDiskMib: serviceReserved.diskMib,
  };
}

export function toParallelsVm(vm: Vm, mac: SimulatedMac): ParallelsVm {
  const isRunning = vm.state === "running";
  return {
    id: vm.id,
    name: vm.name,
    state: vm.state,
    os: vm.os,
    isMacos: vm.countsAsMacos,
    cpuCount: vm.cpuCount,
    memoryMib: vm.memoryMib,
    diskMib: vm.diskMib,
    ipAddresses: vm.address === "" ? [] : [vm.address],
    uptimeSeconds: isRunning ? Math.floor((mac.clock.monotonicMs() - vm.runningSinceMs) / 1_000) : 0,
  };
}

export function toParallelsJob(job: Job): ParallelsJob {
  const step = job.steps.find((candidate) => candidate.state === "running");
  return {
    id: job.id,
    state: job.state === "completed" ? "succeeded" : job.state === "failed" ? "failed" : "running",
    percent: job.progress,
    step: step?.name ?? "",
    message: job.message,
    etaMs: step?.etaMs ?? 0,
    error: job.error,
    vmId: job.vmId,
  };
}

export function toCachedManifest({ manifest, sizeMib }: CachedImage): CachedManifest {
  const { version, architecture } = manifest;
  return { catalogId: manifest.catalogId.toUpperCase(), version, architecture, sizeMib };
}
