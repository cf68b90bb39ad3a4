/** The service's events, as far as the agent needs them. Everything else, unknown or malformed, is no event. */
import type { ParallelsJob, ParallelsVm } from "./api.ts";
import { isObject, type JsonObject, objectAt, parseJson, textAt } from "./decoders.ts";
import { decodeJob } from "./job-decoder.ts";
import { plainId } from "./quantities.ts";
import type { SecretWasher } from "./secrets.ts";
import { decodeVm } from "./vm-decoder.ts";

export type ParallelsEvent =
  | { readonly type: "state-changed"; readonly vmId: string; readonly state: string }
  | { readonly type: "vm-changed"; readonly vm: ParallelsVm }
  | { readonly type: "vm-removed"; readonly vmId: string }
  | { readonly type: "job"; readonly job: ParallelsJob }
  | { readonly type: "cache-changed" }
  /** The answer to a ping of ours inside the protocol of events. */
  | { readonly type: "pong" };

/** The groups of events to ask for. */
export const eventTypes = ["pdfm", "job_manager", "catalog_cache"] as const;

/** The event in a message; nothing if there is none for us, or if it cannot be understood: the next list makes up for it. */
export function decodeEvent(text: string, washer: SecretWasher): ParallelsEvent | undefined {
  const envelope = parseJson(text)?.value;
  if (!isObject(envelope)) return undefined;
  const message = textAt(envelope, "message");
  try {
    switch (textAt(envelope, "event_type")) {
      case "pdfm":
        return decodeVmEvent(message, objectAt(envelope, "body"));
      case "job_manager":
        return decodeJobEvent(message, objectAt(envelope, "body"), washer);
      case "catalog_cache":
        return message.startsWith("CACHE_ITEM_") ? { type: "cache-changed" } : undefined;
      case "health":
        return message === "pong" ? { type: "pong" } : undefined;
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function decodeVmEvent(message: string, body: JsonObject): ParallelsEvent | undefined {
  const vmId = plainId(textAt(body, "vm_id"));
  switch (message) {
    case "VM_STATE_CHANGED": {
      const state = textAt(body, "current_state");
      return vmId === "" || state === "" ? undefined : { type: "state-changed", vmId, state };
    }
    case "VM_ADDED":
    case "VM_UPDATED":
      return { type: "vm-changed", vm: decodeVm(body["new_vm"]) };
    case "VM_REMOVED":
      return vmId === "" ? undefined : { type: "vm-removed", vmId };
    default:
      return undefined;
  }
}

function decodeJobEvent(message: string, body: JsonObject, washer: SecretWasher): ParallelsEvent | undefined {
  const isMove = message === "JOB_CREATED" || message === "JOB_UPDATED" || message === "JOB_COMPLETED";
  return isMove ? { type: "job", job: decodeJob(body, washer) } : undefined;
}
