/** A job of the service, as its reply and its events tell it. */
import type { ParallelsJob } from "./api.ts";
import { decodeObject, type JsonObject, numberAt, objectsAt, requireText, textAt } from "./decoders.ts";
import { parseGoDurationMs, plainId } from "./quantities.ts";
import type { SecretWasher } from "./secrets.ts";

/** @param washer takes secrets out of the texts that the service made of our requests. */
export function decodeJob(value: unknown, washer: SecretWasher): ParallelsJob {
  const job = decodeObject(value, "a job");
  const step = objectsAt(job, "steps").find((candidate) => textAt(candidate, "state") === "running");
  return {
    id: requireText(job, "id", "a job"),
    state: decodeState(textAt(job, "state")),
    percent: Math.min(100, Math.max(0, numberAt(job, "progress"))),
    step: step === undefined ? "" : textAt(step, "name"),
    message: washer.wash(textAt(job, "message") || (step === undefined ? "" : textAt(step, "message"))),
    etaMs: step === undefined ? 0 : parseGoDurationMs(textAt(step, "eta")),
    error: washer.wash(textAt(job, "error")),
    vmId: decodeVmId(job),
  };
}

/** States that are new to us count as running: the job's end will say so in a word that we know, or a list will. */
function decodeState(state: string): ParallelsJob["state"] {
  if (state === "completed") return "succeeded";
  return state === "failed" || state === "skipped" ? "failed" : "running";
}

function decodeVmId(job: JsonObject): string {
  const type = textAt(job, "result_record_type");
  if (type !== "" && type !== "virtual_machine") return "";
  return plainId(textAt(job, "result_record_id"));
}
