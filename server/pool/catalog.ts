/**
 * What the server last read of a Parallels catalog: which versions of which images there are, which is the latest, and what
 * people there have said of them. A template follows what is said of the manifest that it means, unless an operator has said
 * something else of it. What could not be read is no reason to change anything.
 */
import type { CatalogId } from "../../shared/ids.ts";
import { etagOf } from "./etag.ts";
import type { TemplateJudge } from "./events/templates.ts";
import { imageKey } from "./shape.ts";
import type { CatalogRecord, TemplateRecord, TemplateSource } from "./template.ts";
import type { PoolView } from "./view.ts";
import type { Architecture } from "./vm.ts";

export interface CatalogManifest {
  readonly catalogId: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** It is what "latest" stands for. */
  readonly isLatest?: true;
  /** Absent: nothing is wrong with it. */
  readonly state?: "TAINTED" | "REVOKED";
  /** Who said so, in the catalog's words. */
  readonly by?: string;
  /** Those of the catalog: its own users need one of each. */
  readonly requiredRoles: readonly string[];
  readonly requiredClaims: readonly string[];
}

/** The manifests that could be read last, if any could. */
export interface CatalogReading {
  readonly manifests: readonly CatalogManifest[];
  /** How many there are beside these. */
  readonly leftOutCount: number;
  /** Why it cannot be read; absent: it can. */
  readonly fault?: CatalogFault;
  /** Since when it can, or cannot. */
  readonly sinceMs: number;
}

export interface CatalogFault {
  readonly reason: string;
  readonly message: string;
}

export type CatalogSource = Extract<TemplateSource, { readonly kind: "catalog" }>;

/** The manifest that is meant; nothing if the catalog has not shown it. */
export function findManifest(
  catalog: CatalogRecord | undefined,
  { catalogId, version }: Pick<CatalogSource, "catalogId" | "version">,
  architecture: Architecture,
): CatalogManifest | undefined {
  const { reading } = catalog ?? {};
  const found = reading && versionsIn(reading).get(versionsKey(catalogId, architecture));
  const latest = version === "latest" ? found?.find(({ isLatest }) => isLatest === true) : undefined;
  return latest ?? found?.find((manifest) => manifest.version === version);
}

/** The versions of each image in a reading: asked for with every VM, and worked out once, since readings do not change. */
const versionsOfReadings = new WeakMap<CatalogReading, ReadonlyMap<string, readonly CatalogManifest[]>>();

function versionsIn(reading: CatalogReading): ReadonlyMap<string, readonly CatalogManifest[]> {
  const known = versionsOfReadings.get(reading);
  if (known !== undefined) return known;
  const versions = Map.groupBy(reading.manifests, (manifest) => versionsKey(manifest.catalogId, manifest.architecture));
  versionsOfReadings.set(reading, versions);
  return versions;
}

/** Whether a version is revoked in the later reading, or a revoked one the latest, that was not in the earlier. */
export function hasNewlyRevoked(before: CatalogReading | undefined, after: CatalogReading | undefined): boolean {
  const known = new Set(revokedIn(before));
  return revokedIn(after).some((key) => !known.has(key));
}

function revokedIn(reading: CatalogReading | undefined): readonly string[] {
  return (reading?.manifests ?? []).flatMap(({ catalogId, version, architecture, state, isLatest = false }) =>
    state === "REVOKED" ? [JSON.stringify([catalogId, version, architecture, isLatest])] : [],
  );
}

function versionsKey(catalogId: string, architecture: Architecture): string {
  return imageKey(catalogId, architecture);
}

/** The manifest of which the template's VMs are made now. */
export function manifestOf(
  { catalogs }: Pick<PoolView, "catalogs">,
  { spec: { source, architecture } }: Pick<TemplateRecord, "spec">,
): CatalogManifest | undefined {
  return source.kind === "catalog" ? findManifest(catalogs.get(source.catalog), source, architecture) : undefined;
}

/** What has to be said of the template so that it follows its catalog; nothing if it does. */
export function followingJudgement(
  view: Pick<PoolView, "catalogs">,
  template: TemplateRecord,
): TemplateJudge | undefined {
  const { standing, spec } = template;
  const manifest = manifestOf(view, template);
  if (manifest === undefined || spec.source.kind !== "catalog") return undefined;
  const isCatalogs = standing === undefined || isCatalogsWord(standing.by);
  // A warning of an operator's does not stand against a revocation.
  if (!isCatalogs && (standing.state === "REVOKED" || manifest.state !== "REVOKED")) return undefined;
  const { state = "ACTIVE" } = manifest;
  const reason = manifest.state === undefined ? "" : reasonOf(manifest, spec.source.catalog);
  if (standing === undefined ? state === "ACTIVE" : standing.state === state && standing.reason === reason) {
    return undefined;
  }
  const by = `${catalogPrefix}${spec.source.catalog}`;
  return { type: "template-judge", id: template.id, etag: etagOf(template), state, reason, by };
}

function isCatalogsWord(by: string): boolean {
  return by.startsWith(catalogPrefix);
}

/** No caller's name begins so. */
const catalogPrefix = "catalogs/";

export function reasonOf({ catalogId, version, state, by = "" }: CatalogManifest, catalog: CatalogId): string {
  const who = by === "" ? "" : ` by ${by}`;
  return `catalogs/${catalog} says that ${catalogId} ${version} was ${state === "REVOKED" ? "revoked" : "tainted"}${who}`;
}
