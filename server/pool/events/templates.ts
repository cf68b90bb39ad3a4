/** What is asked of templates and catalogs, and what was read of these. */
import type { CatalogId, HostId, TemplateId, Uid } from "../../../shared/ids.ts";
import type { CatalogFault, CatalogManifest } from "../catalog.ts";
import type { StoredSecret } from "../sealed.ts";
import type { CatalogSpec, TemplateSpec } from "../template.ts";
import type { RequestKey } from "./request-key.ts";

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
