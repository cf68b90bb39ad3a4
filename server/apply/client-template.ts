/** What operators ask of templates and catalogs. */
import { fieldInvalid, notFound } from "../../shared/errors.ts";
import type {
  CatalogCreate,
  CatalogDelete,
  CatalogSeal,
  CatalogUpdate,
  TemplateCreate,
  TemplateDelete,
  TemplateUpdate,
} from "../pool/events/templates.ts";
import type { Pool } from "../pool/pool.ts";
import type { CatalogRecord, TemplateRecord, TemplateSpec } from "../pool/template.ts";
import {
  alreadyExists,
  changed,
  checkEtag,
  checkGeneration,
  created,
  findRepeated,
  inUse,
  madeBefore,
  rememberRequest,
} from "./checks.ts";

export function applyTemplateCreate(pool: Pool, event: TemplateCreate, timeMs: number): TemplateRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool.templates, repeated, "templates");
  if (pool.templates.has(event.id)) throw alreadyExists(`templates/${event.id}`);
  checkCatalog(pool, event.spec);
  const template: TemplateRecord = { ...created(pool, timeMs), id: event.id, uid: event.uid, spec: event.spec };
  pool.putTemplate(template);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return template;
}

export function applyTemplateUpdate(pool: Pool, event: TemplateUpdate, timeMs: number): TemplateRecord {
  const template = pool.templates.get(event.id);
  if (template === undefined) throw notFound(`templates/${event.id}`);
  checkEtag(template, event.etag, `templates/${event.id}`);
  checkGeneration(template, event.baseGeneration, `templates/${event.id}`);
  checkCatalog(pool, event.spec);
  const after: TemplateRecord = { ...template, ...changed(pool, template, timeMs), spec: event.spec };
  pool.putTemplate(after);
  return after;
}

export function applyTemplateDelete(pool: Pool, event: TemplateDelete): TemplateRecord {
  const template = pool.templates.get(event.id);
  if (template === undefined) throw notFound(`templates/${event.id}`);
  checkEtag(template, event.etag, `templates/${event.id}`);
  // Those too that wait in vain for a revoked one, and have not been told yet.
  const waiting = [...pool.vmsOf(event.id)].filter((id) => pool.vms.get(id)?.state === "PENDING").length;
  if (waiting > 0)
    throw inUse(`templates/${event.id}`, `${waiting} VMs of it still wait for a host; delete them first`);
  pool.removeTemplate(event.id);
  return template;
}

export function applyCatalogCreate(pool: Pool, event: CatalogCreate, timeMs: number): CatalogRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool.catalogs, repeated, "catalogs");
  if (pool.catalogs.has(event.id)) throw alreadyExists(`catalogs/${event.id}`);
  const catalog: CatalogRecord = { ...created(pool, timeMs), id: event.id, uid: event.uid, spec: event.spec };
  pool.putCatalog(catalog);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return catalog;
}

export function applyCatalogUpdate(pool: Pool, event: CatalogUpdate, timeMs: number): CatalogRecord {
  const catalog = pool.catalogs.get(event.id);
  if (catalog === undefined) throw notFound(`catalogs/${event.id}`);
  checkEtag(catalog, event.etag, `catalogs/${event.id}`);
  checkGeneration(catalog, event.baseGeneration, `catalogs/${event.id}`);
  const { reading, ...rest } = catalog;
  // What was read elsewhere says nothing of what is there now.
  const isSame = reading !== undefined && catalog.spec.url === event.spec.url;
  const after: CatalogRecord = {
    ...rest,
    ...changed(pool, catalog, timeMs),
    spec: event.spec,
    ...(isSame ? { reading } : {}),
  };
  pool.putCatalog(after);
  return after;
}

export function applyCatalogSeal(pool: Pool, { id, uid, generation, credentials }: CatalogSeal): boolean {
  const catalog = pool.catalogs.get(id);
  if (catalog?.uid !== uid || catalog.generation !== generation) return false;
  // The etag stays: whoever has read the catalog has read it as it is.
  pool.putCatalog({ ...catalog, spec: { ...catalog.spec, credentials } });
  return true;
}

export function applyCatalogDelete(pool: Pool, event: CatalogDelete): CatalogRecord {
  const catalog = pool.catalogs.get(event.id);
  if (catalog === undefined) throw notFound(`catalogs/${event.id}`);
  checkEtag(catalog, event.etag, `catalogs/${event.id}`);
  const user = [...pool.templates.values()].find(
    ({ spec }) => spec.source.kind === "catalog" && spec.source.catalog === event.id,
  );
  if (user !== undefined)
    throw inUse(`catalogs/${event.id}`, `templates/${user.id} is pulled from it; delete that first`);
  pool.removeCatalog(event.id);
  return catalog;
}

function checkCatalog(pool: Pool, spec: TemplateSpec): void {
  if (spec.source.kind !== "catalog" || pool.catalogs.has(spec.source.catalog)) return;
  throw spec.source.catalog === ""
    ? fieldInvalid("spec.catalog.catalog", "is required")
    : notFound(`catalogs/${spec.source.catalog}`);
}
