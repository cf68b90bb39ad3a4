/** Removing from a data directory what no key opens any more, so that a server can be started on it. */
import type { Clock } from "../shared/clock.ts";
import type { IdSource } from "../shared/ids.ts";
import { catalogKind, decodePool } from "./engine/records.ts";
import type { CatalogRecord } from "./pool/template.ts";
import { openCredentials } from "./secrets/catalog-credentials.ts";
import { type KeyStoreSettings, keyStoreOf } from "./secrets/key-store.ts";
import { SecretBox } from "./secrets/secret-box.ts";
import { dataDirectoryPaths, readMarker } from "./storage/data-directory.ts";
import { recordKey } from "./storage/key-layout.ts";
import { openLevelStore } from "./storage/level-store.ts";
import { encodeRecord } from "./storage/record-format.ts";
import { StoreError } from "./storage/store.ts";

export interface ForgetSecretsOptions {
  /** No server may run on it. */
  readonly dataDir: string;
  readonly keys: KeyStoreSettings;
  readonly clock: Clock;
  readonly ids: IdSource;
}

/** Returns the names of what has lost its secrets. Rejects with a `StoreError`. */
export async function forgetSecrets({ dataDir, keys, clock, ids }: ForgetSecretsOptions): Promise<readonly string[]> {
  if ((await readMarker(dataDirectoryPaths(dataDir))) === undefined) {
    throw new StoreError(
      "foreign",
      `${dataDir} is no data directory of a Meridian server. Name the right one; nothing was changed.`,
    );
  }
  const store = await openLevelStore(dataDir, { ids, clock });
  try {
    const contents = await store.load();
    const revision = contents.revision + 1;
    const found = await keyStoreOf(keys, dataDir).read();
    const box = found === undefined ? undefined : new SecretBox(found);
    const closed = [...decodePool(contents).pool.catalogs.values()].filter((catalog) => isClosed(box, catalog));
    if (closed.length === 0) return [];
    const puts = closed.map(({ spec: { credentials: _lost, ...spec }, ...catalog }) => ({
      key: recordKey("catalog", catalog.id),
      value: encodeRecord(catalogKind, { ...catalog, spec, generation: catalog.generation + 1, revision }),
    }));
    await store.commit({ revision, puts, deletes: [] });
    return closed.map(({ id }) => `catalogs/${id}`);
  } finally {
    await store.close();
  }
}

function isClosed(box: SecretBox | undefined, catalog: CatalogRecord): boolean {
  const { credentials } = catalog.spec;
  if (credentials?.kind !== "sealed") return false;
  const opened = box && openCredentials(box, catalog);
  return opened === undefined || "fault" in opened;
}
