/** The facts of this Mac for the Hello. What could not be read yet is empty or 0; the server is told again once it is. */
import type { HostFacts } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { wholeNumber, wholeNumber32 } from "../wire.ts";
import type { SurveyResult } from "./survey.ts";

export interface OwnFacts {
  readonly agentVersion: string;
  /** The machine's architecture, until the local service tells its own. */
  readonly architecture: string;
  /** The address by which people reach the Mac; empty: the one that the local service reports. */
  readonly address: string;
}

export function describeHost(survey: SurveyResult, own: OwnFacts): HostFacts {
  const hardware = survey.hardware.value;
  const licence = survey.licence.value;
  return {
    hardwareId: licence?.hardwareId ?? "",
    architecture: hardware?.architecture ?? own.architecture,
    chip: hardware?.chip ?? "",
    macosVersion: hardware?.osVersion ?? "",
    parallelsVersion: hardware?.parallelsVersion ?? "",
    serviceVersion: hardware?.serviceVersion ?? "",
    licence: licence?.state ?? "",
    agentVersion: own.agentVersion,
    cpuCount: wholeNumber32(hardware?.totalCpuCount ?? 0),
    memoryMib: wholeNumber(hardware?.totalMemoryMib ?? 0),
    diskMib: wholeNumber(survey.disk.value?.totalMib ?? 0),
    reserved: {
      cpuCount: wholeNumber32(hardware?.reservedCpuCount ?? 0),
      memoryMib: wholeNumber(hardware?.reservedMemoryMib ?? 0),
      diskMib: wholeNumber(hardware?.reservedDiskMib ?? 0),
    },
    address: own.address === "" ? (hardware?.address ?? "") : own.address,
  };
}

/**
 * Whether `next` tells the server nothing new. The size of the disk alone, which rounding moves, is no news, and neither is an
 * address that the service could not find out this time.
 */
export function areSameFacts(last: HostFacts, next: HostFacts): boolean {
  const relevant = (facts: HostFacts): string => JSON.stringify({ ...facts, diskMib: facts.diskMib > 0 });
  return relevant(last) === relevant(next.address === "" ? { ...next, address: last.address } : next);
}
