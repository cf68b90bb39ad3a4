/** The credentials of catalogs: sealed as they come in, and opened for one command to one agent. */
import type { CatalogId } from "../../shared/ids.ts";
import type { StoredSecret } from "../pool/sealed.ts";
import type { CatalogCredentials, CatalogRecord } from "../pool/template.ts";
import type { SealedFault, SecretBox, SecretPlace } from "./secret-box.ts";

export function placeOfCredentials(id: CatalogId): SecretPlace {
  return { kind: "catalog", id, field: "credentials" };
}

export function sealCredentials(box: SecretBox, id: CatalogId, credentials: CatalogCredentials): StoredSecret {
  const { username, password, apiKey } = credentials;
  return { kind: "sealed", text: box.seal(placeOfCredentials(id), JSON.stringify({ username, password, apiKey })) };
}

/** What the catalog is shown, nothing if it asks for nothing, or why that cannot be had. Keep it no longer than it is used. */
export function openCredentials(
  box: SecretBox,
  { id, spec }: Pick<CatalogRecord, "id" | "spec">,
): CatalogCredentials | undefined | { readonly fault: SealedFault } {
  const { credentials } = spec;
  if (credentials === undefined) return undefined;
  if (credentials.kind === "plain") return JSON.parse(credentials.text) as CatalogCredentials;
  const opened = box.open(placeOfCredentials(id), credentials.text);
  // It is what was sealed above, or it would not open.
  return "fault" in opened ? opened : (JSON.parse(opened.secret) as CatalogCredentials);
}
