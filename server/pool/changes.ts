/** Changes of records, as they become durable together. */

import type { CredentialRecord, JoinTokenRecord } from "./enrolment.ts";
import type { HistoryPage } from "./history.ts";
import type { HostRecord } from "./host.ts";
import type { IssuerRecord } from "./issuer.ts";
import type { LifetimesRecord } from "./lifetimes.ts";
import type { ProjectRecord } from "./project.ts";
import type { ServiceAccountRecord, TokenRecord } from "./service-account.ts";
import type { SettingsRecord } from "./settings/settings.ts";
import type { CatalogRecord, RequestRecord, TemplateRecord } from "./template.ts";
import type { VmRecord } from "./vm.ts";

/** Changes that became durable together. */
export interface DurableBatch {
  readonly revision: number;
  /** One a record: what it was before the batch, and what it is after. */
  readonly changes: readonly RecordChange[];
}

export type RecordChange =
  | ChangeOf<"host", HostRecord>
  | ChangeOf<"vm", VmRecord>
  | ChangeOf<"template", TemplateRecord>
  | ChangeOf<"catalog", CatalogRecord>
  | ChangeOf<"project", ProjectRecord>
  | ChangeOf<"join-token", JoinTokenRecord>
  | ChangeOf<"credential", CredentialRecord>
  | ChangeOf<"service-account", ServiceAccountRecord>
  | ChangeOf<"token", TokenRecord>
  | ChangeOf<"issuer", IssuerRecord>
  | ChangeOf<"request", RequestRecord>
  | ChangeOf<"history", HistoryPage>
  | ChangeOf<"lifetimes", LifetimesRecord>
  | ChangeOf<"settings", SettingsRecord>;

export interface ChangeOf<Kind extends string, R> {
  readonly kind: Kind;
  readonly id: string;
  /** Absent: the record is new. */
  readonly before: R | undefined;
  /** Absent: the record is gone. */
  readonly after: R | undefined;
}
