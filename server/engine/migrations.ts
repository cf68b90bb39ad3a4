/**
 * How records of older versions become the present ones, by kind: each step from one version to the next. A step stands for
 * ever, as it is: there is data that needs it as long as there are backups. When a new one is due is told in `docs/storage.md`.
 */
import type { Migration } from "../storage/record-format.ts";

export const hostMigrations: readonly Migration[] = [
  // Version 1 left both out of a host that had never had an orphan.
  (older) => ({ orphans: [], removalCount: 0, ...older }),
];

export const templateMigrations: readonly Migration[] = [
  // Nothing of version 1 is different; but whoever knows nothing of access and revocation would make VMs that may not be.
  (older) => older,
];
