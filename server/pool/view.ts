/** The pool as everyone but the engine sees it: to read, never to change. What it returns are values that stay as they are. */
import type {
  CatalogId,
  HostId,
  IssuerId,
  JoinTokenId,
  ServiceAccountId,
  TemplateId,
  TokenId,
  Uid,
  VmId,
} from "../../shared/ids.ts";
import type { CredentialRecord, JoinTokenRecord } from "./enrolment.ts";
import type { HistoryView } from "./history.ts";
import type { HostContact, HostRecord } from "./host.ts";
import type { IssuerRecord } from "./issuer.ts";
import type { HostLedger } from "./ledger.ts";
import type { LifetimesRecord } from "./lifetimes.ts";
import type { ProjectRecord } from "./project.ts";
import type { ProjectLedger } from "./project-ledgers.ts";
import type { ServiceAccountRecord, TokenRecord } from "./service-account.ts";
import type { PoolSettings, SettingsRecord } from "./settings/settings.ts";
import type { CatalogRecord, RequestRecord, TemplateRecord } from "./template.ts";
import type { VmRecord, VmState } from "./vm.ts";

/** As much of the pool as filters and scores look at. */
export interface PlacementView
  extends Pick<
    PoolView,
    "hosts" | "projects" | "settings" | "hostMoves" | "contact" | "ledger" | "vmsOn" | "projectLedger"
  > {
  readonly vms: Pick<ReadonlyMap<VmId, VmRecord>, "get">;
}

export interface PoolView {
  /** The revision of the newest change, durable or about to be. */
  readonly revision: number;
  readonly hosts: ReadonlyMap<HostId, HostRecord>;
  readonly vms: ReadonlyMap<VmId, VmRecord>;
  readonly templates: ReadonlyMap<TemplateId, TemplateRecord>;
  /** Those whose images hosts remove. */
  readonly purgingTemplates: ReadonlySet<TemplateId>;
  /** Those that have images to pull, or have failed to, in the order of asking. */
  readonly prefetchHosts: ReadonlySet<HostId>;
  /** Those of them that were told to. */
  readonly pullingHosts: ReadonlySet<HostId>;
  readonly catalogs: ReadonlyMap<CatalogId, CatalogRecord>;
  /** Projects that were created; VMs may name others. */
  readonly projects: ReadonlyMap<string, ProjectRecord>;
  readonly serviceAccounts: ReadonlyMap<ServiceAccountId, ServiceAccountRecord>;
  readonly tokens: ReadonlyMap<TokenId, TokenRecord>;
  tokensOf(account: ServiceAccountId): ReadonlySet<TokenId>;
  readonly issuers: ReadonlyMap<IssuerId, IssuerRecord>;
  readonly requests: ReadonlyMap<string, RequestRecord>;
  readonly joinTokens: ReadonlyMap<JoinTokenId, JoinTokenRecord>;
  /** What each host may prove itself with; absent if it was never given anything. */
  readonly credentials: ReadonlyMap<HostId, CredentialRecord>;
  /** How long VMs of each template stay, as far as it was observed. */
  readonly lifetimes: ReadonlyMap<TemplateId, LifetimesRecord>;
  /** What happened, as far as it is kept. */
  readonly history: HistoryView;
  /** The settings with every default filled in. */
  readonly settings: PoolSettings;
  /** What was set, and when; absent if nothing ever was. */
  readonly settingsRecord: SettingsRecord | undefined;
  /** What is known of the host since this server started; absent if it was never heard. */
  contact(host: HostId): HostContact | undefined;
  /** The host's capacity and what of it is taken. */
  ledger(host: HostId): HostLedger;
  /** VMs placed on the host that still hold capacity there. */
  vmsOn(host: HostId): ReadonlySet<VmId>;
  /** The VM of that uid, if its record is still kept. */
  findVmByUid(uid: Uid): VmRecord | undefined;
  /** VMs that wait for a host. */
  readonly waiting: ReadonlySet<VmId>;
  /** How many projects have VMs that wait. */
  readonly waitingProjects: number;
  /** The VMs that give way to one that waits, or are being removed for it. */
  givingWayTo(id: VmId): ReadonlySet<VmId>;
  /** The VM's place among those that wait, by grown priority and age, from 1; 0 if it does not wait. */
  queuePosition(id: VmId): number;
  /** Grows with every change of what placement sees of a host: what was concluded from the hosts holds while it stands. */
  readonly hostMoves: number;
  /** What the VMs of a project hold, and how many wait. */
  projectLedger(project: string): ProjectLedger;
  /** How many VMs are in each state. */
  countVms(state: VmState): number;
  /** How many VMs that are not deleted were made of the template. */
  countVmsOf(template: TemplateId): number;
  /** Those VMs. They may change while they are gone through: whoever changes VMs takes a copy. */
  vmsOf(template: TemplateId): ReadonlySet<VmId>;
}
