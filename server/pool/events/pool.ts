/** What is asked of the pool as a whole, what its history is to tell beside its changes, and the passing of time. */
import type { Uid } from "../../../shared/ids.ts";
import type { HistoryEntry } from "../history.ts";
import type { SettingsSpec } from "../settings/settings.ts";

/** What the history is to tell of calls that changed no record: refused ones, and orders that went straight to a host. */
export interface CallsNoted {
  readonly type: "calls-noted";
  /** Of a VM, the project and the uid are found by its name. */
  readonly calls: readonly NotedCall[];
}

export type NotedCall = Omit<HistoryEntry, "kind" | "timeMs">;

/** Changes the settings of the pool. */
export interface SettingsUpdate {
  readonly type: "settings-update";
  /** Taken if nothing was ever set before. */
  readonly uid: Uid;
  readonly etag?: string;
  /** 0 if nothing was ever set before. */
  readonly baseGeneration: number;
  readonly spec: SettingsSpec;
}

/** Time has passed: whatever was due by now happens. */
export interface Tick {
  readonly type: "tick";
}
