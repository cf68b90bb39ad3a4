/**
 * Who asked for what: an entry of the history for every event that a client asked for, noted as the event is applied, so that
 * it is durable with the change and stands before what follows from it. It names fields that changed, never their values.
 */
import { asVmId } from "../../shared/ids.ts";
import type { CallsNoted, NotedCall } from "../pool/events/pool.ts";
import type { EventReplies, PoolEvent } from "../pool/events.ts";
import type { Asked } from "../pool/history.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import { changedFields } from "./changed-fields.ts";

type Reply = EventReplies[PoolEvent["type"]];

/** A record with a spec. */
interface SpecRecord {
  readonly spec: object;
}

/** What was there before a change of a spec; nothing of other events. */
export function recordBefore(pool: Pool, event: PoolEvent): SpecRecord | undefined {
  switch (event.type) {
    case "vm-update":
    case "vm-renew":
    case "vm-want":
      return pool.vms.get(event.id);
    case "host-update":
      return pool.hosts.get(event.id);
    case "template-update":
      return pool.templates.get(event.id);
    case "catalog-update":
      return pool.catalogs.get(event.id);
    case "project-update":
      return pool.projects.get(event.id);
    case "service-account-update":
      return pool.serviceAccounts.get(event.id);
    case "issuer-update":
      return pool.issuers.get(event.id);
    case "settings-update":
      return pool.settingsRecord ?? { spec: {} };
    default:
      return undefined;
  }
}

export interface Applied {
  readonly event: PoolEvent;
  readonly before: SpecRecord | undefined;
  readonly reply: Reply;
  /** How many entries had been noted before. */
  readonly at: number;
  readonly timeMs: number;
}

export function noteAsked(pool: Pool, asked: Asked, applied: Applied): void {
  const { event, timeMs } = applied;
  const calls = event.type === "vm-batch-create" ? batchCalls(applied) : [callOf(applied, asked)];
  let { at } = applied;
  for (const call of calls) {
    if (call === undefined) continue;
    pool.noteHistory({ kind: "audit", ...asked, ...call, timeMs }, at);
    at += 1;
  }
}

export function applyCallsNoted(pool: Pool, { calls }: CallsNoted, timeMs: number): undefined {
  for (const call of calls) pool.noteHistory({ kind: "audit", ...vmFacts(pool, call.resource), ...call, timeMs });
}

type Target = Omit<NotedCall, "action" | "caller">;

/** Nothing for a call that changed nothing, or that nobody has to be told of. */
function callOf({ event, before, reply }: Applied, { caller }: Asked): Target | undefined {
  if (typeof reply !== "object" || !("id" in reply)) return { resource: "" };
  if (isRepeated(event, reply)) return undefined;
  const fields = before === undefined || !("spec" in reply) ? [] : changedFields(before.spec, reply.spec);
  // An owner that keeps a VM alive does so every few minutes: told one by one, that would crowd everything else out.
  if (event.type === "vm-renew" && fields.length === 0 && (reply as VmRecord).owner === caller.principal)
    return undefined;
  return {
    ...targetOf(event, reply),
    ...(fields.length === 0 ? {} : { fields }),
    ...(event.type === "template-judge" && event.reason !== "" ? { message: event.reason } : {}),
  };
}

function batchCalls({ event, reply }: Applied): readonly Target[] {
  if (event.type !== "vm-batch-create" || typeof reply !== "object" || !("vms" in reply)) return [];
  const made = new Set(event.vms.map(({ uid }) => uid));
  return reply.vms.flatMap((vm) => (made.has(vm.uid) ? [vmTarget(vm)] : []));
}

/** A create whose answer is what an earlier one made. */
function isRepeated(event: PoolEvent, reply: Identified): boolean {
  return "request" in event && "uid" in event && event.request !== undefined && reply.uid !== event.uid;
}

interface Identified {
  readonly id: string;
  readonly uid?: string;
}

function targetOf(event: PoolEvent, reply: Identified): Target {
  const kind = event.type.slice(0, event.type.lastIndexOf("-"));
  if (kind === "vm") return vmTarget(reply as VmRecord);
  const collection = collections[kind];
  if (collection === undefined) return { resource: "" };
  const resource = kind === "settings" ? collection : `${collection}/${reply.id}`;
  return {
    resource,
    ...(reply.uid === undefined ? {} : { resourceUid: reply.uid }),
    ...(kind === "host" ? { host: resource } : {}),
    ...(kind === "project" ? { project: reply.id } : {}),
  };
}

/** Where what an event is about stands, by the first words of the event's type. */
const collections: Readonly<Record<string, string>> = {
  host: "hosts",
  template: "templates",
  catalog: "catalogs",
  project: "projects",
  "service-account": "serviceAccounts",
  token: "tokens",
  issuer: "issuers",
  "join-token": "joinTokens",
  settings: "settings",
};

function vmTarget({ id, uid, spec }: VmRecord): Target {
  return { resource: `vms/${id}`, resourceUid: uid, project: spec.project };
}

/** What is known of a VM that a call named. */
function vmFacts(pool: Pool, resource: string): Partial<Target> {
  const vm = resource.startsWith("vms/") ? pool.vms.get(asVmId(resource.slice("vms/".length))) : undefined;
  return vm === undefined ? {} : vmTarget(vm);
}
