/** Builders of commands. */

import type { Action } from "../../../agent/commands/perform.ts";
import type { Command } from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export const poolVmName = "meridian-0123456789abcdef0123456789abcdef-001";
export const poolVmUid = "0123456789abcdef0123456789abcdef";

let made = 0;

/** A command for a VM of the pool's, of epoch 1 and generation 1. */
export function commandOf(action: Action | undefined, fields: Partial<Command> = {}): Command {
  made += 1;
  return {
    id: `command-${made}`,
    epoch: 1,
    vmUid: poolVmUid,
    generation: 1,
    silenceLimitMs: 60_000,
    hostVmName: poolVmName,
    hostVmId: "",
    leaseMs: 0,
    action,
    ...fields,
  };
}

/** A command to remove an image, which is about no VM. */
export function purgeOf(catalogId: string, version: string, fields: Partial<Command> = {}): Command {
  const action: Action = { $case: "purgeImage", purgeImage: { catalogId, version } };
  return commandOf(action, { vmUid: "", generation: 0, hostVmName: "", ...fields });
}

/** A command to pull an image ahead, by way of a VM of that name. */
export function prefetchOf(catalogId: string, version: string, fields: Partial<Command> = {}): Command {
  const image = { catalogId, version, url: "https://catalog.example", username: "", password: "", apiKey: "key" };
  const action: Action = { $case: "prefetchImage", prefetchImage: { image, architecture: "arm64" } };
  return commandOf(action, { vmUid: "", generation: 0, ...fields });
}

export function createByClone(source: string, resources = { cpuCount: 0, memoryMib: 0, diskMib: 0 }): Action {
  return {
    $case: "create",
    create: { source: { $case: "hostVm", hostVm: source }, resources, architecture: "arm64", macos: false },
  };
}

export function createFromCatalog(catalogId = "UBUNTU"): Action {
  return {
    $case: "create",
    create: {
      source: {
        $case: "catalog",
        catalog: {
          catalogId,
          version: "v1",
          url: "https://catalog.example",
          username: "",
          password: "",
          apiKey: "key",
        },
      },
      resources: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
      architecture: "arm64",
      macos: false,
    },
  };
}
