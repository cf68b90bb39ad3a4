/** What an agent says, message by message, as the link has it. */
import {
  ConnectRequest,
  Failure_Suspect,
  CommandUpdate_State as State,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { goldenVm, macFacts, macHeartbeat } from "../bench/load/scripted-mac.ts";

/** The Hello first. */
export function linkSamples(): readonly Uint8Array[] {
  const vms = [goldenVm("golden-linux", false), goldenVm("golden-macos", true)];
  const [golden] = vms;
  const inventory = { sequence: 1, whole: true, vms, removedIds: [], images: [], imagesChanged: false };
  const heartbeat = macHeartbeat(1, vms);
  const update = {
    commandId: "x-1",
    vmUid: "x",
    state: State.STATE_SUCCEEDED,
    ...(golden === undefined ? {} : { vm: golden }),
    progress: { step: "clone", percent: 7 },
  };
  const failure = {
    reason: "NoProgress",
    message: "The clone made no progress.",
    suspect: Failure_Suspect.SUSPECT_HOST,
    retryable: true,
  };
  return [
    {
      $case: "hello" as const,
      hello: {
        protocolVersion: 1,
        hostId: "mac-fuzz",
        facts: { ...macFacts, hardwareId: "hardware-fuzz" },
        bootId: "boot",
        agentRunId: "run",
        inventory,
        heartbeat,
        labels: { rack: "7" },
        dialNumber: { series: "a", run: 1, dial: 2 },
      },
    },
    { $case: "heartbeat" as const, heartbeat },
    {
      $case: "inventory" as const,
      inventory: {
        ...inventory,
        whole: false,
        removedIds: ["{old}"],
        imagesChanged: true,
        images: [{ catalogId: "MACOS-26", version: "v1", architecture: "arm64", sizeMib: 40_000 }],
      },
    },
    { $case: "commandUpdate" as const, commandUpdate: update },
    { $case: "commandUpdate" as const, commandUpdate: { ...update, state: State.STATE_FAILED, failure } },
  ].map((payload, index) =>
    ConnectRequest.encode(ConnectRequest.fromPartial({ sequence: index + 1, payload })).finish(),
  );
}
