/** Secrets in tests: a box with a key that everybody knows, and all that a server does with one, without a file. */
import type { EngineApi } from "../../../server/engine/engine-api.ts";
import type { CatalogRecord } from "../../../server/pool/template.ts";
import { openCredentials } from "../../../server/secrets/catalog-credentials.ts";
import { keyStoreOf } from "../../../server/secrets/key-store.ts";
import { SecretBox } from "../../../server/secrets/secret-box.ts";
import { parseKeys, type SecretKey } from "../../../server/secrets/secret-key.ts";
import { SecretsKeeper } from "../../../server/secrets/secrets-keeper.ts";
import { silentLogger } from "../../../shared/log.ts";

/** Also seals what `npm run keep-data` keeps. */
export const testKeyText = `msk1.${Buffer.alloc(32, "test").toString("base64url")}`;

export function testKeys(text = testKeyText): readonly SecretKey[] {
  const keys = parseKeys(text);
  if ("problem" in keys) throw new Error(keys.problem);
  return keys;
}

export function testBox(): SecretBox {
  return new SecretBox(testKeys());
}

export function testSecrets(engine: EngineApi): SecretsKeeper {
  const keys = keyStoreOf({ environment: testKeyText }, "");
  return new SecretsKeeper({ engine, box: testBox(), keys, compact: () => Promise.resolve(), log: silentLogger });
}

/** As `SessionsOptions` asks for it. */
export function openTestCredentials(catalog: CatalogRecord): ReturnType<typeof openCredentials> {
  return openCredentials(testBox(), catalog);
}
