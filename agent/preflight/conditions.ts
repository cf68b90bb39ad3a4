/**
 * The preflight: what must hold on this Mac before it is given a new VM, each with a name, a reason and a sentence that says
 * what to do. A pure function of the last survey; every condition is always present, good or bad, so that the server can
 * tell "fine" from "not looked at".
 */
import type { HostCondition } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { ParallelsError } from "../parallels/api.ts";
import type { SurveyResult } from "./survey.ts";

export interface ConditionContext {
  readonly nowMs: number;
  /** Disk below which the host takes no new VM, in MiB; 0 until the server has said. */
  readonly diskReserveMib: number;
}

/** How long the event socket may be away before the host counts as impaired: longer than a reconnection takes. */
export const eventsGraceMs = 15_000;

/** The oldest releases that offer what the agent uses: asynchronous creates and events by WebSocket. */
const serviceVersionMin = [1, 0, 0] as const;
const parallelsVersionMin = [19, 0, 0] as const;

type Check = (survey: SurveyResult, context: ConditionContext) => Omit<HostCondition, "type">;

const checks: Readonly<Record<string, Check>> = {
  ParallelsReachable: checkReachable,
  ParallelsVersionSupported: checkVersions,
  LicenceValid: checkLicence,
  DiskAboveReserve: checkDisk,
  EventsFlowing: checkEvents,
};

/** Every condition, in a fixed order. */
export function evaluateConditions(survey: SurveyResult, context: ConditionContext): HostCondition[] {
  return Object.entries(checks).map(([type, check]) => ({ type, ...check(survey, context) }));
}

/** Whether two evaluations say the same to the server; messages with changing figures alone are no news. */
export function areSameConditions(left: readonly HostCondition[], right: readonly HostCondition[]): boolean {
  return (
    left.length === right.length &&
    left.every((one, index) => {
      const other = right[index];
      return one.type === other?.type && one.holds === other.holds && one.reason === other.reason;
    })
  );
}

function checkReachable({ hardware }: SurveyResult): Omit<HostCondition, "type"> {
  const { error } = hardware;
  if (error === undefined) {
    return hardware.value === undefined
      ? bad("NotLookedYet", "The local Parallels API has not been asked yet; this passes by itself.")
      : good("Answering", "The local Parallels API answers.");
  }
  const kind = error instanceof ParallelsError ? error.kind : "failed";
  // What else a call may answer is about a VM, and here only a sign that something is wrong.
  switch (kind) {
    case "unreachable":
      return bad(
        "Unreachable",
        "Nothing answers at the local Parallels API: start the Parallels DevOps service on this Mac, or correct the agent's --parallels-url.",
      );
    case "timed-out":
      return bad("TimedOut", "The local Parallels API does not answer in time: restart the Parallels DevOps service.");
    case "unauthorised":
      return bad(
        "CredentialsRefused",
        "The local Parallels API refuses the agent's credentials: give the agent a valid --parallels-api-key.",
      );
    default:
      return bad(
        "Failing",
        `The local Parallels API answers with an error: look at the service's log on this Mac. It says: ${messageOf(error)}`,
      );
  }
}

function checkVersions({ hardware }: SurveyResult): Omit<HostCondition, "type"> {
  const facts = hardware.value;
  if (facts === undefined) return bad("NotReadYet", "The versions could not be read yet; see ParallelsReachable.");
  if (isOlder(facts.serviceVersion, serviceVersionMin)) {
    return bad(
      "ServiceTooOld",
      `The Parallels DevOps service is ${facts.serviceVersion}: update it to ${serviceVersionMin.join(".")} or newer.`,
    );
  }
  if (isOlder(facts.parallelsVersion, parallelsVersionMin)) {
    return bad(
      "ParallelsTooOld",
      `Parallels Desktop is ${facts.parallelsVersion}: update it to ${parallelsVersionMin[0]} or newer.`,
    );
  }
  return good("Supported", `Parallels Desktop ${facts.parallelsVersion}, service ${facts.serviceVersion}.`);
}

function checkLicence({ licence, hardware }: SurveyResult): Omit<HostCondition, "type"> {
  const found = licence.value;
  if (found === undefined) {
    if (hardware.value?.isLicensed === true) return good("Licensed", "Parallels Desktop says that it is licensed.");
    if (hardware.value !== undefined) {
      return bad("LicenceNotValid", "Parallels Desktop says that it has no licence: activate one on this Mac.");
    }
    return bad("NotReadYet", "The licence could not be read yet; see ParallelsReachable.");
  }
  if (found.isValid) return good("Valid", "Parallels Desktop has a valid licence.");
  return bad(
    "LicenceNotValid",
    `Parallels Desktop's licence is "${found.state}": activate a valid one on this Mac, or its VMs will not start.`,
  );
}

function checkDisk({ disk }: SurveyResult, context: ConditionContext): Omit<HostCondition, "type"> {
  const { value } = disk;
  if (value === undefined) return bad("NotReadYet", "The free disk could not be read yet; see ParallelsReachable.");
  const free = Math.floor(value.freeMib);
  if (free >= context.diskReserveMib) return good("Enough", `${free} MiB of disk are free.`);
  return bad(
    "BelowReserve",
    `${free} MiB of disk are free and ${context.diskReserveMib} MiB are the reserve: remove VMs or cached images that are no longer needed.`,
  );
}

function checkEvents(survey: SurveyResult, context: ConditionContext): Omit<HostCondition, "type"> {
  const since = survey.eventsAwaySinceMs;
  if (since === undefined) return good("Connected", "The local service's events arrive.");
  if (context.nowMs - since < eventsGraceMs) return good("Connecting", "The event socket is being connected.");
  return bad(
    "Silent",
    "No events arrive from the local Parallels API, so changes are seen late: restart the Parallels DevOps service.",
  );
}

function good(reason: string, message: string): Omit<HostCondition, "type"> {
  return { holds: true, reason, message };
}

function bad(reason: string, message: string): Omit<HostCondition, "type"> {
  return { holds: false, reason, message };
}

/** Whether `version` begins with three numbers that are older than `minimum`. What cannot be read, or is the "0.0.0" of a
 * development build, is given the benefit of the doubt. */
function isOlder(version: string, minimum: readonly [number, number, number]): boolean {
  const match = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version.trim());
  if (match === null) return false;
  const numbers = [match[1], match[2], match[3]].map((part) => Number(part ?? 0));
  if (numbers.every((number) => number === 0)) return false;
  const difference = numbers.map((number, index) => number - (minimum[index] ?? 0)).find((delta) => delta !== 0);
  return difference !== undefined && difference < 0;
}

/** Messages go to people and are kept small. */
function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 300);
}
