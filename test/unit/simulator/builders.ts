/** Macs for tests: without delays on a clock that stands, unless a test says otherwise. */
import { SimulatedMac } from "../../../simulator/mac.ts";
import type { MacEvent } from "../../../simulator/mac-events.ts";
import type { MacOptions } from "../../../simulator/mac-facts.ts";
import type { PullRequest } from "../../../simulator/pulls.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

export interface BuiltMac {
  readonly mac: SimulatedMac;
  readonly clock: ManualClock;
  /** Everything that happened since the Mac was built, in short. */
  readonly told: string[];
}

export function buildMac(options: MacOptions = {}): BuiltMac {
  const clock = createManualClock();
  const mac = new SimulatedMac({ instant: true, ...options }, clock);
  const told: string[] = [];
  mac.events.subscribe((event) => told.push(inShort(event)));
  return { mac, clock, told };
}

export function buildPull(change: Partial<PullRequest> = {}): PullRequest {
  return {
    name: "build-1",
    catalogId: "MACOS-15",
    version: "v1",
    connection: "host=user:password@https://catalog.example.com",
    startOnCreate: false,
    ...change,
  };
}

export const macosManifest = { catalogId: "MACOS-15", version: "v1", architecture: "arm64" } as const;

function inShort(event: MacEvent): string {
  switch (event.type) {
    case "vm-state-changed":
      return `${event.vm.name} ${event.previousState}->${event.currentState}`;
    case "vm-added":
    case "vm-updated":
      return `${event.type} ${event.vm.name}${event.vm.address === "" ? "" : " with address"}`;
    case "macos-vms-running":
      return `macos-vms-running ${event.vmIds.length}`;
    case "job-created":
    case "job-updated":
    case "job-completed":
    case "job-deleted":
      return `${event.type} ${event.job.state}`;
    default:
      return event.type;
  }
}
