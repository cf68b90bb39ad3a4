/**
 * How records of older versions become the present ones, by kind: each step from one version to the next. A step stands for
 * ever, as it is: there is data that needs it as long as there are backups. When a new one is due is told in `docs/storage.md`.
 */
import type { JsonObject, JsonValue, Migration } from "../storage/record-format.ts";

export const hostMigrations: readonly Migration[] = [
  // Version 1 left both out of a host that had never had an orphan.
  (older) => ({ orphans: [], removalCount: 0, ...older }),
];

export const templateMigrations: readonly Migration[] = [
  // Nothing of version 1 is different; but whoever knows nothing of access and revocation would make VMs that may not be.
  (older) => older,
];

export const catalogMigrations: readonly Migration[] = [
  // Version 1 kept credentials as they were given. Sealing them needs a key, so that is done once the pool is read.
  (older) => ({ ...older, spec: withStoredCredentials(asObject(older["spec"])) }),
];

function withStoredCredentials({ credentials, ...spec }: JsonObject): JsonObject {
  return credentials === undefined
    ? spec
    : { ...spec, credentials: { kind: "plain", text: JSON.stringify(credentials) } };
}

/** What a record of that kind holds there in every version. */
function asObject(value: JsonValue | undefined): JsonObject {
  return value as JsonObject;
}
