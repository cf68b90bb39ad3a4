/** All secrets that stand in records: what a start has to be able to open, and what a rotation seals anew. */
import type { CatalogSeal } from "../pool/events/templates.ts";
import type { StoredSecret } from "../pool/sealed.ts";
import type { PoolView } from "../pool/view.ts";
import { StoreError } from "../storage/store.ts";
import { placeOfCredentials } from "./catalog-credentials.ts";
import type { KeyStore } from "./key-store.ts";
import { keyIdOf, SecretBox, type SecretPlace } from "./secret-box.ts";

interface SecretInRecord {
  readonly place: SecretPlace;
  readonly secret: StoredSecret;
  /** The event that puts the secret back in another form. */
  readonly replace: (secret: StoredSecret) => CatalogSeal;
}

export function secretsIn(view: PoolView): readonly SecretInRecord[] {
  return [...view.catalogs.values()].flatMap(({ id, uid, generation, spec }): readonly SecretInRecord[] => {
    if (spec.credentials === undefined) return [];
    const replace = (credentials: StoredSecret): CatalogSeal => ({
      type: "catalog-seal",
      id,
      uid,
      generation,
      credentials,
    });
    return [{ place: placeOfCredentials(id), secret: spec.credentials, replace }];
  });
}

/**
 * The box that opens everything in the view. Makes the first key if nothing is sealed yet. Rejects with a `StoreError` that
 * says what to do, having changed nothing, if something cannot be opened.
 */
export async function openSecretBox(store: KeyStore, view: PoolView): Promise<SecretBox> {
  const sealed = secretsIn(view).filter(({ secret }) => secret.kind === "sealed");
  const keys = await store.read();
  if (keys !== undefined) {
    const box = new SecretBox(keys);
    checkAll(store, box, sealed);
    return box;
  }
  if (sealed.length > 0) throw keyMissing(store, sealed, "there is none");
  // A key store without a way to make a key has one, or has rejected.
  return new SecretBox((await store.create?.()) ?? []);
}

function checkAll(store: KeyStore, box: SecretBox, sealed: readonly SecretInRecord[]): void {
  for (const { place, secret } of sealed) {
    if (secret.kind !== "sealed") continue;
    const opened = box.open(place, secret.text);
    if (!("fault" in opened)) continue;
    if (opened.fault === "key-missing") throw keyMissing(store, sealed, `it holds ${box.keyIds.join(", ")}`);
    const message =
      `the secret ${place.field} of the record ${place.kind}/${place.id} was altered: it does not open with the key that it ` +
      "names. Restore a backup, or have what cannot be opened removed with `meridian server forget-secrets`. Nothing was changed.";
    throw new StoreError("damaged", message);
  }
}

function keyMissing(store: KeyStore, sealed: readonly SecretInRecord[], found: string): StoreError {
  const ids = new Set(sealed.map(({ secret }) => (secret.kind === "sealed" ? keyIdOf(secret.text) : undefined)));
  const names = [...ids].filter((id) => id !== undefined).join(", ");
  const message =
    `secrets in the records are sealed with the key ${names}, which is not in ${store.where}: ${found}. Bring that key back ` +
    "(--secrets-key-file names another file, MERIDIAN_SECRETS_KEY holds keys themselves). If it is lost for ever, " +
    "`meridian server forget-secrets` removes what nobody can open, to be given again. Nothing was changed.";
  return new StoreError("sealed", message);
}
