/**
 * Everything that can change the pool. An event carries all that applying it needs, ids included; the engine adds the time.
 * Applying one either changes the pool or refuses with a `MeridianError` and changes nothing.
 */
import type {
  CatalogId,
  CommandId,
  HostId,
  IssuerId,
  JoinTokenId,
  ProjectId,
  ServiceAccountId,
  TemplateId,
  TokenId,
  Uid,
  VmId,
} from "../../shared/ids.ts";
import type { CatalogFault, CatalogManifest } from "./catalog.ts";
import type { DialNumber } from "./dial.ts";
import type { CredentialRecord, HostCertificate, JoinTokenRecord, JoinTokenSpec } from "./enrolment.ts";
import type { Asked, HistoryEntry } from "./history.ts";
import type { CachedImage, HostFacts, HostRecord, HostSpec, HostVm } from "./host.ts";
import type { IssuerRecord, IssuerSpec } from "./issuer.ts";
import type { ProjectRecord, ProjectSpec } from "./project.ts";
import type { StoredSecret } from "./sealed.ts";
import type { PoolRole, ServiceAccountRecord, ServiceAccountSpec, TokenRecord } from "./service-account.ts";
import type { SettingsRecord, SettingsSpec } from "./settings/settings.ts";
import type { CatalogRecord, CatalogSpec, TemplateRecord, TemplateSpec } from "./template.ts";
import type {
  CommandKind,
  PendingAction,
  Resources,
  Suspect,
  VmProgress,
  VmRecord,
  VmSpec,
  WantedState,
} from "./vm.ts";

/** What makes a create idempotent. */
export interface RequestKey {
  /** `method/request_id`. */
  readonly id: string;
  /** A digest of the request's content. */
  readonly fingerprint: string;
}

// --- What clients ask for. An `etag`, where present, must be the resource's; `baseGeneration` is the generation of the
// --- record that the new spec was derived from.

/** Accepts a VM. With `spec.sourceVm` it is a copy of that VM, which must be stopped. */
export interface VmCreate {
  readonly type: "vm-create";
  readonly id: VmId;
  readonly uid: Uid;
  readonly spec: VmSpec;
  /** Who asks for it. */
  readonly owner?: string;
  /** The owner's role in the VM's project; absent: nobody asks for it. */
  readonly role?: PoolRole;
  readonly request?: RequestKey;
}
/**
 * Accepts several VMs of one project in one batch. `fit` says what becomes of those that fit nowhere now: they wait ("wait"), or
 * they are not accepted ("any"), or nothing is ("all").
 */
export interface VmBatchCreate {
  readonly type: "vm-batch-create";
  readonly vms: readonly Pick<VmCreate, "id" | "uid" | "spec">[];
  readonly owner?: string;
  readonly role?: PoolRole;
  readonly fit: "wait" | "all" | "any";
  readonly request?: RequestKey;
}
export interface VmBatch {
  /** Those that were accepted, in the order in which they were asked for. */
  readonly vms: readonly VmRecord[];
  readonly refusedCount: number;
  /** Why the first of those that were not accepted was not; empty if all were, or it was long ago. */
  readonly refusal: string;
}
export interface VmUpdate {
  readonly type: "vm-update";
  readonly id: VmId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: VmSpec;
}
/** Takes a VM of others that stands on a host into the pool. */
export interface VmAdopt {
  readonly type: "vm-adopt";
  readonly id: VmId;
  readonly uid: Uid;
  readonly host: HostId;
  /** Its id or name in Parallels Desktop. */
  readonly hostVm: string;
  /** Who asks for it. */
  readonly owner?: string;
  /** `wanted` absent: as it is. */
  readonly spec: Omit<VmSpec, "template" | "templateVersion" | "sourceVm" | "wanted"> & Partial<Pick<VmSpec, "wanted">>;
  readonly request?: RequestKey;
}
/** Lets a VM's lease begin anew, with another duration if one is given. */
export interface VmRenew {
  readonly type: "vm-renew";
  readonly id: VmId;
  readonly leaseDurationMs?: number;
}
/** Changes what is wanted of a VM, or asks for a restart or reset. */
export interface VmWant {
  readonly type: "vm-want";
  readonly id: VmId;
  readonly etag?: string;
  readonly wanted: WantedState;
  readonly action?: PendingAction;
  /** Cut the power (stop, delete). */
  readonly force: boolean;
}
/** Cordon, uncordon and drain are changes of a host's spec too. */
export interface HostUpdate {
  readonly type: "host-update";
  readonly id: HostId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: HostSpec;
}
/** Ends a host's quarantine and forgets what failed there. */
export interface HostRelease {
  readonly type: "host-release";
  readonly id: HostId;
  readonly etag?: string;
}
export interface HostDelete {
  readonly type: "host-delete";
  readonly id: HostId;
  readonly etag?: string;
  readonly force: boolean;
}
export interface TemplateCreate {
  readonly type: "template-create";
  readonly id: TemplateId;
  readonly uid: Uid;
  readonly spec: TemplateSpec;
  readonly request?: RequestKey;
}
export interface TemplateUpdate {
  readonly type: "template-update";
  readonly id: TemplateId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: TemplateSpec;
}
export interface TemplateDelete {
  readonly type: "template-delete";
  readonly id: TemplateId;
  readonly etag?: string;
}
/** Says that a template is tainted, revoked or usable again. */
export interface TemplateJudge {
  readonly type: "template-judge";
  readonly id: TemplateId;
  readonly etag?: string;
  readonly state: "ACTIVE" | "TAINTED" | "REVOKED";
  /** For people. */
  readonly reason: string;
  /** Who says so. */
  readonly by: string;
  /** Of a revocation: VMs that had come up are stopped too. */
  readonly stopsRunning?: true;
  /** Of a revocation: hosts remove the template's images. */
  readonly purgesImages?: true;
}
/** Has hosts pull a template's image. */
export interface TemplatePrefetch {
  readonly type: "template-prefetch";
  readonly id: TemplateId;
  readonly etag?: string;
  /** Names what passes through the hosts for it. */
  readonly uid: Uid;
  /** None: all that could be made VMs of it on. */
  readonly hosts: readonly HostId[];
}
export interface CatalogCreate {
  readonly type: "catalog-create";
  readonly id: CatalogId;
  readonly uid: Uid;
  readonly spec: CatalogSpec;
  readonly request?: RequestKey;
}
export interface CatalogUpdate {
  readonly type: "catalog-update";
  readonly id: CatalogId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: CatalogSpec;
}
/** Keeps a catalog's credentials sealed anew: what they are does not change, and so neither does the catalog for anybody. */
export interface CatalogSeal {
  readonly type: "catalog-seal";
  readonly id: CatalogId;
  /** Of the record whose credentials these are: nothing is done to another, or to a changed one. */
  readonly uid: Uid;
  readonly generation: number;
  readonly credentials: StoredSecret;
}

/** What came of reading a catalog. */
export interface CatalogRead {
  readonly type: "catalog-read";
  readonly id: CatalogId;
  /** Which catalog was read, and where: if it is another one by now, nothing of this is true of it. */
  readonly uid: Uid;
  readonly url: string;
  readonly outcome:
    | { readonly kind: "manifests"; readonly manifests: readonly CatalogManifest[]; readonly leftOutCount: number }
    | { readonly kind: "fault"; readonly fault: CatalogFault };
}
export interface CatalogDelete {
  readonly type: "catalog-delete";
  readonly id: CatalogId;
  readonly etag?: string;
}
export interface ProjectCreate {
  readonly type: "project-create";
  readonly id: ProjectId;
  readonly uid: Uid;
  readonly spec: ProjectSpec;
  readonly request?: RequestKey;
}
export interface ProjectUpdate {
  readonly type: "project-update";
  readonly id: ProjectId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: ProjectSpec;
}
export interface ProjectDelete {
  readonly type: "project-delete";
  readonly id: ProjectId;
  readonly etag?: string;
}

export interface ServiceAccountCreate {
  readonly type: "service-account-create";
  readonly id: ServiceAccountId;
  readonly uid: Uid;
  readonly spec: ServiceAccountSpec;
  readonly request?: RequestKey;
}
export interface ServiceAccountUpdate {
  readonly type: "service-account-update";
  readonly id: ServiceAccountId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: ServiceAccountSpec;
}
export interface ServiceAccountDelete {
  readonly type: "service-account-delete";
  readonly id: ServiceAccountId;
  readonly etag?: string;
}
export interface IssuerCreate {
  readonly type: "issuer-create";
  readonly id: IssuerId;
  readonly uid: Uid;
  readonly spec: IssuerSpec;
  readonly request?: RequestKey;
}
export interface IssuerUpdate {
  readonly type: "issuer-update";
  readonly id: IssuerId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: IssuerSpec;
}
export interface IssuerDelete {
  readonly type: "issuer-delete";
  readonly id: IssuerId;
  readonly etag?: string;
}
export interface TokenCreate {
  readonly type: "token-create";
  readonly id: TokenId;
  readonly uid: Uid;
  readonly account: ServiceAccountId;
  /** SHA-256 of the secret, in hex. */
  readonly digest: string;
  readonly description: string;
  readonly lifetimeMs: number;
  /** When the account's other tokens end, from now on; absent: as before. */
  readonly othersEndInMs?: number;
  readonly request?: RequestKey;
}
export interface TokenRevoke {
  readonly type: "token-revoke";
  readonly id: TokenId;
  readonly etag?: string;
}
/** When tokens were last used; told now and then, not with each call. */
export interface TokensUsed {
  readonly type: "tokens-used";
  readonly uses: readonly { readonly id: TokenId; readonly timeMs: number }[];
}

/** What the history is to tell of calls that changed no record: refused ones, and orders that went straight to a host. */
export interface CallsNoted {
  readonly type: "calls-noted";
  /** Of a VM, the project and the uid are found by its name. */
  readonly calls: readonly NotedCall[];
}
export type NotedCall = Omit<HistoryEntry, "kind" | "timeMs">;

/** Changes the settings of the pool. */
export interface SettingsUpdate {
  readonly type: "settings-update";
  /** Taken if nothing was ever set before. */
  readonly uid: Uid;
  readonly etag?: string;
  /** 0 if nothing was ever set before. */
  readonly baseGeneration: number;
  readonly spec: SettingsSpec;
}
export interface JoinTokenCreate {
  readonly type: "join-token-create";
  readonly id: JoinTokenId;
  readonly uid: Uid;
  readonly secretHash: string;
  readonly spec: JoinTokenSpec;
  readonly request?: RequestKey;
}
/** Nobody enrols with it any more. */
export interface JoinTokenRevoke {
  readonly type: "join-token-revoke";
  readonly id: JoinTokenId;
  readonly etag?: string;
}
export interface JoinTokenDelete {
  readonly type: "join-token-delete";
  readonly id: JoinTokenId;
  readonly etag?: string;
}
/** Refuses all that the host could prove itself with. */
export interface HostRevoke {
  readonly type: "host-revoke";
  readonly host: HostId;
}

// --- What hosts get to prove themselves with.

/** Spends a use of a join token on a host's first certificate. */
export interface HostEnrol {
  readonly type: "host-enrol";
  readonly joinToken: JoinTokenId;
  readonly secretHash: string;
  readonly host: HostId;
  /** Taken if the host is new. */
  readonly uid: Uid;
  readonly certificate: HostCertificate;
}
/** Renews a host's certificate. */
export interface HostCertify {
  readonly type: "host-certify";
  readonly host: HostId;
  /** When the certificate was issued that the host asked with. */
  readonly presentedIssueTimeMs: number;
  readonly certificate: HostCertificate;
}

// --- What hosts tell. All but the first carry the epoch of their session; those of an older session are dropped.

export interface HostUse {
  readonly inUse: Resources;
  readonly diskFreeMib: number;
  readonly diskTotalMib: number;
  readonly macosGuests: number;
  readonly conditions: readonly {
    readonly type: string;
    readonly holds: boolean;
    readonly reason: string;
    readonly message: string;
  }[];
}
export interface HostInventory {
  /** True: this is everything. False: `vms` are new or changed and `removedIds` are gone. */
  readonly isWhole: boolean;
  readonly vms: readonly HostVm[];
  readonly removedIds: readonly string[];
  /** Absent: unchanged. */
  readonly images?: readonly CachedImage[];
}
export interface CommandReport {
  readonly commandId: CommandId;
  readonly state: "ACCEPTED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "REFUSED";
  readonly progress?: VmProgress;
  readonly failure?: {
    readonly reason: string;
    readonly message: string;
    readonly suspect: Suspect;
    readonly isRetryable: boolean;
  };
  /** The VM as it is, if it is there. */
  readonly vm?: HostVm;
  /** The host could not look whether it is there; absent: it could. */
  readonly isVmUnknown?: true;
}
/**
 * Opens a session: enrols the host if it is new, ends its older session, gives the next epoch. A Hello that is older than the
 * newest session's changes nothing, and neither does that of another Mac as long as VMs stand on the one that the host was.
 */
export interface HostConnected {
  readonly type: "host-connected";
  readonly id: HostId;
  /** Taken if the host is new. */
  readonly uid: Uid;
  readonly sessionId: string;
  /** When the certificate was issued that the host showed; absent where hosts are not asked for one. */
  readonly certificateIssueTimeMs?: number;
  /** Absent: the agent does not count. */
  readonly dial?: DialNumber;
  readonly facts: HostFacts;
  readonly agentLabels: Readonly<Record<string, string>>;
  /** Absent: the agent could not list the Mac's VMs yet, so that nothing is known of them. */
  readonly inventory?: HostInventory;
  readonly use: HostUse;
  /** Ends of commands that the agent still holds. */
  readonly commands: readonly CommandReport[];
}
export interface HostHeard {
  readonly type: "host-heard";
  readonly id: HostId;
  readonly epoch: number;
  readonly use: HostUse;
}
export interface HostInventoried {
  readonly type: "host-inventoried";
  readonly id: HostId;
  readonly epoch: number;
  readonly inventory: HostInventory;
}
export interface CommandReported {
  readonly type: "command-reported";
  readonly hostId: HostId;
  readonly epoch: number;
  readonly report: CommandReport;
}
/** The session is over. */
export interface HostDisconnected {
  readonly type: "host-disconnected";
  readonly id: HostId;
  readonly epoch: number;
}

// --- What the planners decide, checked again against the pool as it is when the decision is applied.

/** Reserves a host's capacity for a waiting VM. */
export interface VmPlaced {
  readonly type: "vm-placed";
  readonly id: VmId;
  readonly host: HostId;
}
/** Has room build up on a host for a waiting VM, or gives back what was kept. */
export interface VmReserved {
  readonly type: "vm-reserved";
  readonly id: VmId;
  /** Absent: it is given back. */
  readonly host?: HostId;
}
/** Has others give way to a VM that waits. */
export interface VmPreempting {
  readonly type: "vm-preempting";
  readonly id: VmId;
  readonly host: HostId;
  /** They stand on that host. */
  readonly victims: readonly VmId[];
}
/** Takes back a VM's notice. */
export interface VmSpared {
  readonly type: "vm-spared";
  readonly id: VmId;
  /** On which it stands. */
  readonly host: HostId;
}
/** Gives a VM its next command. */
export interface VmCommanded {
  readonly type: "vm-commanded";
  readonly id: VmId;
  readonly kind: CommandKind;
  readonly force: boolean;
}
/** Ends or stops a VM of a revoked template. */
export interface VmRevoked {
  readonly type: "vm-revoked";
  readonly id: VmId;
}
/** Has an orphan removed from its host. */
export interface OrphanRemove {
  readonly type: "orphan-remove";
  readonly host: HostId;
  /** Its id in Parallels Desktop. */
  readonly hostVmId: string;
}
/** Has a host remove images of revoked templates, as its record and the templates say. */
export interface ImagesPurge {
  readonly type: "images-purge";
  readonly host: HostId;
}
/** Has a host begin with the next image that it is to pull, as its record and the templates say. */
export interface HostPrefetch {
  readonly type: "host-prefetch";
  readonly host: HostId;
}
/** Ends the probe of a host in quarantine, which has neither failed there nor been seen coming up. */
export interface HostProbed {
  readonly type: "host-probed";
  readonly id: HostId;
  /** The uid of the VM that it was probed with. */
  readonly vm: Uid;
  /** Whether the VM shows that the host can do it; otherwise it shows nothing. */
  readonly hasPassed: boolean;
}
/** Time has passed: whatever was due by now happens. */
export interface Tick {
  readonly type: "tick";
}

type BareEvent =
  | VmCreate
  | VmBatchCreate
  | VmUpdate
  | VmRenew
  | VmAdopt
  | VmWant
  | HostUpdate
  | HostRelease
  | HostDelete
  | TemplateCreate
  | TemplateUpdate
  | TemplateDelete
  | TemplateJudge
  | TemplatePrefetch
  | CatalogCreate
  | CatalogUpdate
  | CatalogSeal
  | CatalogRead
  | CatalogDelete
  | ProjectCreate
  | ProjectUpdate
  | ProjectDelete
  | ServiceAccountCreate
  | ServiceAccountUpdate
  | ServiceAccountDelete
  | IssuerCreate
  | IssuerUpdate
  | IssuerDelete
  | TokenCreate
  | TokenRevoke
  | TokensUsed
  | CallsNoted
  | SettingsUpdate
  | JoinTokenCreate
  | JoinTokenRevoke
  | JoinTokenDelete
  | HostEnrol
  | HostCertify
  | HostRevoke
  | HostConnected
  | HostHeard
  | HostInventoried
  | CommandReported
  | HostDisconnected
  | VmPlaced
  | VmReserved
  | VmPreempting
  | VmSpared
  | VmCommanded
  | VmRevoked
  | OrphanRemove
  | ImagesPurge
  | HostPrefetch
  | HostProbed
  | Tick;

/** An event; `asked` where a client asked for it whom the history is to name. */
export type PoolEvent = BareEvent & { readonly asked?: Asked };

/** What applying an event answers: the record that it made or changed (as it last was, if it is gone). */
export interface EventReplies {
  "vm-create": VmRecord;
  "vm-batch-create": VmBatch;
  "vm-update": VmRecord;
  "vm-renew": VmRecord;
  "vm-adopt": VmRecord;
  "vm-want": VmRecord;
  "host-update": HostRecord;
  "host-release": HostRecord;
  "host-delete": HostRecord;
  "template-create": TemplateRecord;
  "template-update": TemplateRecord;
  "template-delete": TemplateRecord;
  "template-judge": TemplateRecord;
  "template-prefetch": TemplateRecord;
  "catalog-create": CatalogRecord;
  "catalog-update": CatalogRecord;
  /** Whether it was done. */
  "catalog-seal": boolean;
  /** Whether it was news. */
  "catalog-read": boolean;
  "catalog-delete": CatalogRecord;
  "project-create": ProjectRecord;
  "project-update": ProjectRecord;
  "project-delete": ProjectRecord;
  "service-account-create": ServiceAccountRecord;
  "service-account-update": ServiceAccountRecord;
  "service-account-delete": ServiceAccountRecord;
  "issuer-create": IssuerRecord;
  "issuer-update": IssuerRecord;
  "issuer-delete": IssuerRecord;
  "token-create": TokenRecord;
  "token-revoke": TokenRecord;
  "tokens-used": undefined;
  "calls-noted": undefined;
  "settings-update": SettingsRecord;
  "join-token-create": JoinTokenRecord;
  "join-token-revoke": JoinTokenRecord;
  "join-token-delete": JoinTokenRecord;
  "host-enrol": HostRecord;
  "host-certify": CredentialRecord;
  "host-revoke": CredentialRecord;
  "host-connected": HostRecord | HelloRefusal;
  /** False: the message was of an older session and was dropped. */
  "host-heard": boolean;
  "host-inventoried": boolean;
  "command-reported": boolean;
  "host-disconnected": boolean;
  /** False: the decision no longer held. */
  "vm-placed": boolean;
  "vm-reserved": boolean;
  "vm-preempting": boolean;
  "vm-spared": boolean;
  "vm-commanded": boolean;
  "vm-revoked": boolean;
  "orphan-remove": boolean;
  "images-purge": boolean;
  "host-prefetch": boolean;
  "host-probed": boolean;
  tick: undefined;
}

/** Why a Hello opens no session: it is older than one that was taken, or another Mac has the host's VMs. */
export type HelloRefusal = "outdated" | "host-taken";

export type EventReply<E extends PoolEvent> = EventReplies[E["type"]];
