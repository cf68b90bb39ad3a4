/** How the pool's records are stored: their kinds, and the way from a batch of changes to the store and back. */
import { assertNever } from "../../shared/assert.ts";
import type { RecordChange } from "../pool/changes.ts";
import type { CredentialRecord, JoinTokenRecord } from "../pool/enrolment.ts";
import type { HistoryPage } from "../pool/history.ts";
import type { HostRecord } from "../pool/host.ts";
import type { IssuerRecord } from "../pool/issuer.ts";
import type { LifetimesRecord } from "../pool/lifetimes.ts";
import { Pool } from "../pool/pool.ts";
import type { ProjectRecord } from "../pool/project.ts";
import type { ServiceAccountRecord, TokenRecord } from "../pool/service-account.ts";
import type { SettingsRecord } from "../pool/settings/settings.ts";
import type { CatalogRecord, RequestRecord, TemplateRecord } from "../pool/template.ts";
import type { VmRecord } from "../pool/vm.ts";
import { parseRecordKey, recordKey } from "../storage/key-layout.ts";
import { decodeRecord, defineRecordKind, encodeRecord } from "../storage/record-format.ts";
import type { StoreBatch, StoreContents, StoreEntry } from "../storage/store.ts";
import { catalogMigrations, hostMigrations, templateMigrations } from "./migrations.ts";
import type { TimeAnchor } from "./pool-time.ts";

export const hostKind = defineRecordKind<HostRecord>("host", hostMigrations);
export const vmKind = defineRecordKind<VmRecord>("vm", []);
const templateKind = defineRecordKind<TemplateRecord>("template", templateMigrations);
export const catalogKind = defineRecordKind<CatalogRecord>("catalog", catalogMigrations);
const historyKind = defineRecordKind<HistoryPage>("history", []);
const lifetimesKind = defineRecordKind<LifetimesRecord>("lifetimes", []);
const projectKind = defineRecordKind<ProjectRecord>("project", []);
const joinTokenKind = defineRecordKind<JoinTokenRecord>("join-token", []);
const credentialKind = defineRecordKind<CredentialRecord>("credential", []);
const serviceAccountKind = defineRecordKind<ServiceAccountRecord>("service-account", []);
const issuerKind = defineRecordKind<IssuerRecord>("issuer", []);
const tokenKind = defineRecordKind<TokenRecord>("token", []);
const requestKind = defineRecordKind<RequestRecord>("request", []);
const settingsKind = defineRecordKind<SettingsRecord>("settings", []);

/** What the engine keeps beside the pool: at present only where its time goes on from. */
const metaKind = defineRecordKind<TimeAnchor>("meta", []);
const timeAnchorId = "time";

/** The entry that keeps it. */
export function encodeTimeAnchor(anchor: TimeAnchor): StoreEntry {
  return { key: recordKey("meta", timeAnchorId), value: encodeRecord(metaKind, anchor) };
}

/** All of them, by name. */
export const recordKinds = {
  host: hostKind,
  vm: vmKind,
  template: templateKind,
  catalog: catalogKind,
  project: projectKind,
  "join-token": joinTokenKind,
  credential: credentialKind,
  "service-account": serviceAccountKind,
  token: tokenKind,
  issuer: issuerKind,
  history: historyKind,
  request: requestKind,
  lifetimes: lifetimesKind,
  settings: settingsKind,
} satisfies { readonly [Kind in RecordChange["kind"]]: object };

/** The batch that makes the changes durable. */
export function encodeBatch(revision: number, changes: readonly RecordChange[]): StoreBatch {
  const puts: StoreEntry[] = [];
  const deletes: string[] = [];
  for (const change of changes) {
    const key = recordKey(change.kind, change.id);
    const value = encodeAfter(change);
    if (value === undefined) deletes.push(key);
    else puts.push({ key, value });
  }
  return { revision, puts, deletes };
}

export interface StoredPool {
  readonly pool: Pool;
  /** The time of the newest change. */
  readonly newestMs: number;
  /** Where the pool's time goes on from, if the machine has not been started anew. */
  readonly timeAnchor: TimeAnchor | undefined;
}

/** The pool as it was stored. Throws `StoreError` for records that cannot be read. */
export function decodePool(contents: StoreContents): StoredPool {
  const records = contents.entries.map(decodeEntry);
  const pool = new Pool(contents.revision);
  let newestMs = 0;
  pool.restore(() => {
    newestMs = putRecords(pool, records);
  });
  const timeAnchor = records.find((entry) => entry.kind === "meta")?.record;
  return { pool, newestMs, timeAnchor };
}

/** Returns the time of the newest change. */
function putRecords(pool: Pool, records: readonly StoredRecord[]): number {
  let newestMs = 0;
  const noteTime = (timeMs: number): void => {
    newestMs = Math.max(newestMs, timeMs);
  };
  // Settings first: everything else is put under them.
  for (const entry of records) {
    if (entry.kind !== "settings") continue;
    pool.putSettings(entry.record);
    noteTime(entry.record.updateTimeMs);
  }
  // Hosts, templates, catalogs and projects next: what VMs wait for, and where they stand, is looked up while they are put.
  for (const entry of records) {
    if (entry.kind === "host") pool.putHost(entry.record);
    else if (entry.kind === "template") pool.putTemplate(entry.record);
    else if (entry.kind === "catalog") pool.putCatalog(entry.record);
    else if (entry.kind === "lifetimes") pool.putLifetimes(entry.record);
    else if (entry.kind === "project") pool.putProject(entry.record);
    else if (entry.kind === "join-token") pool.enrolments.putJoinToken(entry.record);
    else if (entry.kind === "credential") pool.enrolments.putCredential(entry.record);
    else if (entry.kind === "service-account") pool.accounts.putServiceAccount(entry.record);
    else if (entry.kind === "token") pool.accounts.putToken(entry.record);
    else if (entry.kind === "issuer") pool.accounts.putIssuer(entry.record);
    else continue;
    noteTime(entry.record.updateTimeMs);
  }
  // In the order of time, since deleted VMs and requests are forgotten in the order in which they came.
  const vms = records.flatMap((entry) => (entry.kind === "vm" ? [entry.record] : []));
  for (const vm of vms.sort((a, b) => a.stateSinceMs - b.stateSinceMs)) {
    pool.putVm(vm);
    noteTime(vm.updateTimeMs);
  }
  const requests = records.flatMap((entry) => (entry.kind === "request" ? [entry.record] : []));
  for (const request of requests.sort((a, b) => a.createTimeMs - b.createTimeMs)) {
    pool.putRequest(request);
    noteTime(request.createTimeMs);
  }
  // In the order of their keys, which is the order of time.
  for (const entry of records) if (entry.kind === "history") pool.history.restore(entry.id, entry.read);
  return newestMs;
}

function encodeAfter(change: RecordChange): string | undefined {
  switch (change.kind) {
    case "host":
      return change.after && encodeRecord(hostKind, change.after);
    case "vm":
      return change.after && encodeRecord(vmKind, change.after);
    case "template":
      return change.after && encodeRecord(templateKind, change.after);
    case "catalog":
      return change.after && encodeRecord(catalogKind, change.after);
    case "project":
      return change.after && encodeRecord(projectKind, change.after);
    case "join-token":
      return change.after && encodeRecord(joinTokenKind, change.after);
    case "credential":
      return change.after && encodeRecord(credentialKind, change.after);
    case "service-account":
      return change.after && encodeRecord(serviceAccountKind, change.after);
    case "token":
      return change.after && encodeRecord(tokenKind, change.after);
    case "issuer":
      return change.after && encodeRecord(issuerKind, change.after);
    case "request":
      return change.after && encodeRecord(requestKind, change.after);
    case "history":
      return change.after && encodeRecord(historyKind, change.after);
    case "lifetimes":
      return change.after && encodeRecord(lifetimesKind, change.after);
    case "settings":
      return change.after && encodeRecord(settingsKind, change.after);
    default:
      return assertNever(change, "record kind");
  }
}

type StoredRecord =
  | { readonly kind: "host"; readonly record: HostRecord }
  | { readonly kind: "vm"; readonly record: VmRecord }
  | { readonly kind: "template"; readonly record: TemplateRecord }
  | { readonly kind: "catalog"; readonly record: CatalogRecord }
  | { readonly kind: "project"; readonly record: ProjectRecord }
  | { readonly kind: "join-token"; readonly record: JoinTokenRecord }
  | { readonly kind: "credential"; readonly record: CredentialRecord }
  | { readonly kind: "service-account"; readonly record: ServiceAccountRecord }
  | { readonly kind: "token"; readonly record: TokenRecord }
  | { readonly kind: "issuer"; readonly record: IssuerRecord }
  | { readonly kind: "request"; readonly record: RequestRecord }
  | { readonly kind: "history"; readonly id: string; readonly read: () => HistoryPage }
  | { readonly kind: "lifetimes"; readonly record: LifetimesRecord }
  | { readonly kind: "settings"; readonly record: SettingsRecord }
  | { readonly kind: "meta"; readonly record: TimeAnchor | undefined };

function decodeEntry(entry: StoreEntry): StoredRecord {
  const { kind, id } = parseRecordKey(entry.key);
  switch (kind) {
    case "host":
      return { kind, record: decodeRecord(hostKind, entry) };
    case "vm":
      return { kind, record: decodeRecord(vmKind, entry) };
    case "template":
      return { kind, record: decodeRecord(templateKind, entry) };
    case "catalog":
      return { kind, record: decodeRecord(catalogKind, entry) };
    case "project":
      return { kind, record: decodeRecord(projectKind, entry) };
    case "join-token":
      return { kind, record: decodeRecord(joinTokenKind, entry) };
    case "credential":
      return { kind, record: decodeRecord(credentialKind, entry) };
    case "service-account":
      return { kind, record: decodeRecord(serviceAccountKind, entry) };
    case "token":
      return { kind, record: decodeRecord(tokenKind, entry) };
    case "issuer":
      return { kind, record: decodeRecord(issuerKind, entry) };
    case "request":
      return { kind, record: decodeRecord(requestKind, entry) };
    case "history":
      // Much of what is stored, and rarely asked for: it is read when it is.
      return { kind, id, read: once(() => decodeRecord(historyKind, entry)) };
    case "lifetimes":
      return { kind, record: decodeRecord(lifetimesKind, entry) };
    case "settings":
      return { kind, record: decodeRecord(settingsKind, entry) };
    case "meta":
      return { kind, record: id === timeAnchorId ? decodeRecord(metaKind, entry) : undefined };
    default:
      return assertNever(kind, "record kind");
  }
}

/** Calls `read` the first time only. */
function once<T extends object>(read: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= read();
    return value;
  };
}
