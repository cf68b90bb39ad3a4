/** Changes that start from what is there: read, change, write; again when someone else was faster and no etag was given. */
import { fieldInvalid, MeridianError } from "../../shared/errors.ts";
import { isPrintable } from "./field-checks.ts";
import { etagLengthMax, updateAttemptsMax } from "./limits.ts";

/** @param attempt reads and writes once; it rejects with ETAG_MISMATCH when the resource changed between the two. */
export async function changeUntilDone<T>(etag: string | undefined, attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      const isRace = error instanceof MeridianError && error.reason === "ETAG_MISMATCH" && etag === undefined;
      if (!isRace || count >= updateAttemptsMax) throw error;
    }
  }
}

/** The etag of a request; undefined if it has none. Throws FIELD_INVALID. */
export function readEtag(etag: string, field = "etag"): string | undefined {
  if (etag === "") return undefined;
  if (etag.length > etagLengthMax || !isPrintable(etag)) throw fieldInvalid(field, "must be an etag of an answer");
  return etag;
}
