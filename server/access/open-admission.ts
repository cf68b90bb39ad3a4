/** Everybody who is let in at the public ports of a server that is not insecure: each admission asks the one behind it. */
import type { Clock } from "../../shared/clock.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import { openAdminToken } from "./admin-token.ts";
import type { Admission } from "./admission.ts";
import { defaultKeyTuning, type KeyTuning } from "./oidc/issuer-keys.ts";
import { Issuers } from "./oidc/issuers.ts";
import { OidcAdmission } from "./oidc/oidc-admission.ts";
import { TokenAdmission } from "./token-admission.ts";

export interface AdmissionOptions {
  readonly engine: EngineApi;
  readonly clock: Clock;
  readonly dataDir: string;
  /** How keys of issuers are fetched; the default is right but for tests. */
  readonly issuerKeys?: KeyTuning | undefined;
}

export async function openAdmission(options: AdmissionOptions): Promise<Admission & { close(): void }> {
  const { engine, clock, dataDir, issuerKeys: tuning = defaultKeyTuning } = options;
  const operator = await openAdminToken(dataDir);
  const issuers = await Issuers.open({ engine, clock, tuning });
  const byIssuers = new OidcAdmission({ issuers, nowMs: () => engine.nowMs(), next: operator });
  const byTokens = await TokenAdmission.open({ engine, clock, next: byIssuers });
  return {
    admit: (credentials) => byTokens.admit(credentials),
    onChange: (listener) => byTokens.onChange(listener),
    close: () => {
      byTokens.close();
      issuers.close();
    },
  };
}
