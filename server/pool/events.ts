/**
 * Everything that can change the pool. An event carries all that applying it needs, ids included; the engine adds the time.
 * Applying one either changes the pool or refuses with a `MeridianError` and changes nothing. Each event is in `events/`, by what it
 * is about.
 */
import type { CredentialRecord, JoinTokenRecord } from "./enrolment.ts";
import type {
  IssuerCreate,
  IssuerDelete,
  IssuerUpdate,
  ProjectCreate,
  ProjectDelete,
  ProjectUpdate,
  ServiceAccountCreate,
  ServiceAccountDelete,
  ServiceAccountUpdate,
  TokenCreate,
  TokenRevoke,
  TokensUsed,
} from "./events/access.ts";
import type {
  HostPrefetch,
  HostProbed,
  ImagesPurge,
  OrphanRemove,
  VmCommanded,
  VmPlaced,
  VmPreempting,
  VmReserved,
  VmRevoked,
  VmSpared,
} from "./events/decisions.ts";
import type {
  HostCertify,
  HostEnrol,
  HostRevoke,
  JoinTokenCreate,
  JoinTokenDelete,
  JoinTokenRevoke,
} from "./events/enrolment.ts";
import type {
  CommandReported,
  HostConnected,
  HostDisconnected,
  HostHeard,
  HostInventoried,
} from "./events/host-reports.ts";
import type { HostDelete, HostRelease, HostUpdate } from "./events/hosts.ts";
import type { CallsNoted, SettingsUpdate, Tick } from "./events/pool.ts";
import type {
  CatalogCreate,
  CatalogDelete,
  CatalogRead,
  CatalogSeal,
  CatalogUpdate,
  TemplateCreate,
  TemplateDelete,
  TemplateJudge,
  TemplatePrefetch,
  TemplateUpdate,
} from "./events/templates.ts";
import type { VmAdopt, VmBatch, VmBatchCreate, VmCreate, VmRenew, VmUpdate, VmWant } from "./events/vms.ts";
import type { Asked } from "./history.ts";
import type { HostRecord } from "./host.ts";
import type { IssuerRecord } from "./issuer.ts";
import type { ProjectRecord } from "./project.ts";
import type { ServiceAccountRecord, TokenRecord } from "./service-account.ts";
import type { SettingsRecord } from "./settings/settings.ts";
import type { CatalogRecord, TemplateRecord } from "./template.ts";
import type { VmRecord } from "./vm.ts";

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
