/**
 * What a refusal of the service means. Its status says little: a failed `prlctl` is 404 like an unknown VM, a forbidden
 * change is 400 like a malformed request, a wrong password is 404. So the message decides, by the table below.
 */
import { ParallelsError, type ParallelsErrorKind } from "./api.ts";
import { isObject, objectAt, objectsAt, parseJson, textAt } from "./decoders.ts";
import type { WireAnswer, WireRequest } from "./transport.ts";

/**
 * Searched from the top, the first that matches decides. Where a pattern comes from:
 * - states, unknown VMs, taken names: the service's own words ("VM is not stopped", "VM with name x already exists");
 * - macOS guests: the service's own admission ("insufficient macOS VM capacity") and Apple's Virtualization framework,
 *   which `prlctl` passes on ("the maximum supported number of active virtual machines has been reached");
 * - no room: macOS ("No space left on device"), `prlctl` and the service's check before a pull;
 * - catalog: stands last, since a pull wraps every other failure in "Error pulling manifest: …".
 */
const judgements: readonly { readonly pattern: RegExp; readonly kind: ParallelsErrorKind }[] = [
  {
    pattern: /insufficient macos vm capacity|(?:maximum|limit)[^.]*(?:active|running) (?:virtual machines|vms|guests)/i,
    kind: "macos-limit",
  },
  { pattern: /(?:number|limit|more than) [^.]*macos (?:virtual machines|vms|guests)/i, kind: "macos-limit" },
  { pattern: /vzerrordomain[^.]*code=6\b/i, kind: "macos-limit" },
  {
    pattern:
      /no space left|(?:not enough|insufficient) (?:free )?(?:disk |storage )?space|disk (?:is )?full|disk quota exceeded/i,
    kind: "disk-full",
  },
  { pattern: /(?:machine|vm)\b.*\balready exists|name\b.*\balready (?:exists|in use|taken)/i, kind: "name-taken" },
  { pattern: /\bvm is not (?:stopped|running|paused|suspended)/i, kind: "state-not-allowed" },
  {
    pattern:
      /(?:virtual machine|vm)\b[^.]* (?:is|must be|has to be|should be) (?:already |not |currently )?(?:stopped|running|paused|suspended|starting|stopping)/i,
    kind: "state-not-allowed",
  },
  {
    pattern: /operation[^.]* (?:current|this) state|in (?:the|an?) [^.]*state (?:that )?does not allow/i,
    kind: "state-not-allowed",
  },
  { pattern: /no virtual machine found/i, kind: "vm-not-found" },
  {
    pattern:
      /(?:virtual machine|\bvm)\b[^.]* (?:(?:was |could |is |can)?not (?:be )?found|does not exist|is not registered)/i,
    kind: "vm-not-found",
  },
  { pattern: /pulling manifest|catalog|manifest|remote service was able to pull/i, kind: "catalog" },
];

/** The kind that the words of a failure point to; "failed" if they say nothing known. Also for the error of a job. */
export function judgeMessage(message: string): ParallelsErrorKind {
  return judgements.find(({ pattern }) => pattern.test(message))?.kind ?? "failed";
}

/** The error that an answer with a status of 400 or more stands for. The message is the service's own. */
export function judgeAnswer(answer: WireAnswer, request: Pick<WireRequest, "method" | "path">): ParallelsError {
  const said = readRefusal(answer.text);
  const { status } = answer;
  const message = `${request.method} ${request.path}: ${said === "" ? `HTTP status ${status}` : said}`;
  if (status === 401 || status === 403) return new ParallelsError("unauthorised", message, { status });
  // A missing route's message holds the path, so any word may stand in it.
  return new ParallelsError(isRouteMissing(answer) ? "failed" : judgeMessage(said), message, { status });
}

/** Whether the route does not exist, or not for this method: the service answers 404 for both, proxies answer 405. */
export function isRouteMissing(answer: WireAnswer): boolean {
  if (answer.status === 405) return true;
  return answer.status === 404 && /^resource \/.* not found$/i.test(readRefusal(answer.text).trim());
}

/** What the service says in a refusal, in any of its shapes; empty if it says nothing that a person could read. */
export function readRefusal(text: string): string {
  const parsed = parseJson(text);
  if (parsed === undefined) return readPlainText(text);
  if (!isObject(parsed.value)) return "";
  const body = parsed.value;
  const details = objectsAt(objectAt(body, "diagnostics"), "errors").map((error) => textAt(error, "message"));
  const words = [textAt(body, "message") || textAt(body, "error_description") || textAt(body, "error"), ...details];
  return [...new Set(words.filter((word) => word !== ""))].join("; ");
}

/** A proxy's page of HTML helps nobody; a short line of text does. */
function readPlainText(text: string): string {
  const line = text.trim();
  return line.startsWith("<") || line.includes("\n") || line.length > 300 ? "" : line;
}
