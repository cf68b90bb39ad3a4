/** What the API's handlers work with. */
import type { Clock } from "../../shared/clock.ts";
import type { IdSource } from "../../shared/ids.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import type { SecretsKeeper } from "../secrets/secrets-keeper.ts";
import type { HostCalls } from "../sessions/host-calls.ts";
import type { Authority } from "../tls/authority.ts";
import type { Backups } from "./backups.ts";
import type { VmChanges } from "./vm-changes.ts";

export interface ApiContext {
  readonly engine: EngineApi;
  readonly hostCalls: HostCalls;
  readonly vmChanges: VmChanges;
  readonly backups: Backups;
  readonly secrets: SecretsKeeper;
  readonly clock: Clock;
  readonly ids: IdSource;
  /** The server's version. */
  readonly version: string;
  /** When it began to serve, in pool time. */
  readonly startTimeMs: number;
  /** Absent: the server is insecure. */
  readonly security?: ApiSecurity | undefined;
}

/** What the API tells of, and does to, the server's CA. */
export interface ApiSecurity {
  readonly authority: Authority;
  /** What the server's certificate is for. */
  readonly names: readonly string[];
  /** Where agents are told to dial, each as `host:port`. */
  readonly agentAddresses: () => readonly string[];
}
