/** Templates and catalogs as the pool keeps them. */
import type { CatalogId, TemplateId, Uid } from "../../shared/ids.ts";
import type { CatalogReading } from "./catalog.ts";
import type { ImageVersion } from "./image-purge.ts";
import type { StoredSecret } from "./sealed.ts";
import type { PoolRole } from "./service-account.ts";
import type { TemplateTrouble } from "./trouble.ts";
import type { Architecture, GuestOs, Readiness, Resources } from "./vm.ts";

export type TemplateSource =
  | { readonly kind: "catalog"; readonly catalog: CatalogId; readonly catalogId: string; readonly version: string }
  | { readonly kind: "host-vm"; readonly vmName: string };

export interface TemplateSpec {
  readonly source: TemplateSource;
  readonly guestOs: GuestOs;
  readonly architecture: Architecture;
  readonly resources: Resources;
  readonly readiness: Readiness;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Who may make VMs of it; absent: whoever may make VMs. */
  readonly access?: TemplateAccess;
}

/** Empty lists allow everybody. */
export interface TemplateAccess {
  readonly projects: readonly string[];
  /** One of them, or a higher one, is needed in the VM's project. */
  readonly roles: readonly PoolRole[];
}

/** What was said of a template. */
export interface TemplateStanding {
  readonly state: "TAINTED" | "REVOKED";
  readonly reason: string;
  /** Who said so. */
  readonly by: string;
  readonly timeMs: number;
  /** Also VMs that had come up are stopped, and not started again. */
  readonly stopsRunning?: true;
  /** What hosts remove from their caches: what the template was made of when it was revoked. */
  readonly purges?: ImageVersion;
}

export interface TemplateRecord {
  readonly id: TemplateId;
  readonly uid: Uid;
  readonly spec: TemplateSpec;
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
  /** What is remembered of VMs of it that could not be made or started; absent: nothing. */
  readonly trouble?: TemplateTrouble;
  /** Absent: it can be used. */
  readonly standing?: TemplateStanding;
}

/** How a host proves to a catalog who it is: a user and a password, or an API key, or nothing. */
export interface CatalogCredentials {
  readonly username: string;
  readonly password: string;
  readonly apiKey: string;
}

export interface CatalogSpec {
  readonly url: string;
  /** `CatalogCredentials`, as JSON. Leaves the server only to an agent, inside a command. */
  readonly credentials?: StoredSecret;
  readonly description: string;
}

export interface CatalogRecord {
  readonly id: CatalogId;
  readonly uid: Uid;
  readonly spec: CatalogSpec;
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
  /** Absent: nobody has tried to read it yet. */
  readonly reading?: CatalogReading;
}

/** Remembers a create's `request_id`, so that the same call again gets the same answer. */
export interface RequestRecord {
  /** `method/request_id`. */
  readonly id: string;
  /** A digest of the request's content. */
  readonly fingerprint: string;
  /** The resource that it made. */
  readonly resourceId: string;
  readonly resourceUid: Uid;
  /** All that it made, of a batch. */
  readonly batch?: readonly Uid[];
  readonly createTimeMs: number;
}
