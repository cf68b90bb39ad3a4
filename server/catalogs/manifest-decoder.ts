/**
 * The list of a catalog's manifests, as it answers it: an array of objects, each with manifests under their ids. Only what the
 * pool has a use for is taken over; above all nothing of a manifest's provider, whose credentials stand in it.
 */
import type { CatalogManifest } from "../pool/catalog.ts";
import type { Architecture } from "../pool/vm.ts";

/** Sorted; nothing if it is no such list. Entries that make no sense are left out. */
export function decodeManifests(answer: unknown): readonly CatalogManifest[] | undefined {
  if (!Array.isArray(answer)) return undefined;
  const manifests = answer.flatMap((group) => (isFields(group) ? Object.values(group) : [])).flat();
  return manifests.flatMap((manifest) => (isFields(manifest) ? decodeManifest(manifest) : [])).sort(inOrder);
}

type Fields = Readonly<Record<string, unknown>>;

function decodeManifest(fields: Fields): readonly CatalogManifest[] {
  const { catalog_id: catalogId, version, architecture, revoked, tainted } = fields;
  if (!isName(catalogId) || !isName(version) || !isArchitecture(architecture)) return [];
  const state = revoked === true ? "REVOKED" : tainted === true ? "TAINTED" : undefined;
  const by = state === "REVOKED" ? fields["revoked_by"] : fields["tainted_by"];
  return [
    {
      catalogId: catalogId.toUpperCase(),
      version,
      architecture,
      ...(texts(fields["tags"]).includes("latest") ? { isLatest: true as const } : {}),
      ...(state === undefined ? {} : { state }),
      ...(state === undefined || typeof by !== "string" || by === "" ? {} : { by: plain(by) }),
      requiredRoles: texts(fields["required_roles"]),
      requiredClaims: texts(fields["required_claims"]),
    },
  ];
}

/** What a template can name. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function isName(value: unknown): value is string {
  return typeof value === "string" && namePattern.test(value);
}

function isArchitecture(value: unknown): value is Architecture {
  return value === "arm64" || value === "x86_64";
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** More words, and longer ones, than any manifest has. */
const textsMax = 32;
const textLengthMax = 128;

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((item) => typeof item === "string")
    .map(plain)
    .slice(0, textsMax);
}

/** Without what could disturb a terminal or a log. */
function plain(text: string): string {
  return text.replace(/\p{C}/gu, "").slice(0, textLengthMax);
}

function inOrder(a: CatalogManifest, b: CatalogManifest): number {
  const [left, right] = [a, b].map(({ catalogId, version, architecture }) =>
    [catalogId, version, architecture].join("/"),
  );
  return left === right ? 0 : (left ?? "") < (right ?? "") ? -1 : 1;
}
