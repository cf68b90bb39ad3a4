/** Events as the socket sends them: one envelope for all, with a type to subscribe to and a message to tell them apart. */

import { assertNever } from "../../shared/assert.ts";
import type { SimulatedMac } from "../mac.ts";
import type { MacEvent } from "../mac-events.ts";
import { toWireCacheItem, toWireDiskSpace } from "./wire-host.ts";
import { toWireJob } from "./wire-job.ts";
import { toWireVm } from "./wire-vm.ts";

export const eventTypes = [
  "global",
  "pdfm",
  "system",
  "system_logs",
  "health",
  "orchestrator",
  "stats",
  "reverse_proxy",
  "catalog_cache",
  "job_manager",
  "auth",
] as const;
export type EventType = (typeof eventTypes)[number];

export interface EventContent {
  readonly eventType: EventType;
  readonly message: string;
  readonly body?: unknown;
  /** The id of the message that this one answers. */
  readonly refId?: string;
}

/** What the socket says of an event of the Mac; nothing of those that are not for it. */
export function toEventContent(event: MacEvent, mac: SimulatedMac): EventContent | undefined {
  switch (event.type) {
    case "vm-state-changed": {
      const { vm, previousState, currentState } = event;
      const body = { previous_state: previousState, current_state: currentState, vm_id: vm.id };
      return { eventType: "pdfm", message: "VM_STATE_CHANGED", body };
    }
    case "vm-added":
    case "vm-updated": {
      const message = event.type === "vm-added" ? "VM_ADDED" : "VM_UPDATED";
      return { eventType: "pdfm", message, body: { vm_id: event.vm.id, new_vm: toWireVm(event.vm, mac) } };
    }
    case "vm-removed":
      return { eventType: "pdfm", message: "VM_REMOVED", body: { vm_id: event.vmId } };
    case "macos-vms-running":
      return { eventType: "pdfm", message: "MAC_VMS_RUNNING_NOW", body: { mac_vms_running: event.vmIds } };
    case "job-created":
    case "job-updated":
    case "job-completed":
    case "job-deleted": {
      const message = event.type.toUpperCase().replace("-", "_");
      return { eventType: "job_manager", message, body: toWireJob(event.job) };
    }
    case "cache-item-added":
    case "cache-item-removed": {
      const message = event.type.toUpperCase().replaceAll("-", "_");
      return { eventType: "catalog_cache", message, body: toWireCacheItem(event.image) };
    }
    case "disk-space-changed":
      return { eventType: "stats", message: "DISK_SPACE_CHANGED", body: toWireDiskSpace(mac) };
    case "service-down":
    case "service-up":
    case "service-restarted":
      return undefined;
    default:
      return assertNever(event, "event of a mac");
  }
}

/** The text of one message. */
export function toEnvelope(content: EventContent, identity: { readonly id: string; readonly wallMs: number }): string {
  return JSON.stringify({
    id: identity.id,
    ...(content.refId === undefined ? {} : { ref_id: content.refId }),
    event_type: content.eventType,
    timestamp: new Date(identity.wallMs).toISOString(),
    message: content.message,
    ...(content.body === undefined ? {} : { body: content.body }),
  });
}
