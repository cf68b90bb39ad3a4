/**
 * Lets in service accounts by their tokens, and whoever comes with something else by the admission behind it. What it needs of
 * the pool it keeps beside it, as of the newest durable change: a call costs one look-up and one digest, and waits for nobody.
 */
import { timingSafeEqual } from "node:crypto";
import { clientTokenPrefix, digestSecret, parseClientToken } from "../../shared/client-token.ts";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { ServiceAccountId, TokenId } from "../../shared/ids.ts";
import type { DurableBatch, EngineApi, RecordChange } from "../engine/engine-api.ts";
import type { ServiceAccountRecord, TokenRecord } from "../pool/service-account.ts";
import type { Admission, Credentials } from "./admission.ts";
import { bearerOf } from "./bearer.ts";
import type { Caller } from "./caller.ts";
import { TokenUses } from "./token-uses.ts";

export interface TokenAdmissionOptions {
  readonly engine: Pick<EngineApi, "read" | "onDurable" | "submit" | "nowMs">;
  readonly clock: Clock;
  /** Asked about whatever is no token of a service account. */
  readonly next: Admission;
}

export class TokenAdmission implements Admission {
  private readonly accounts: Map<ServiceAccountId, ServiceAccountRecord>;
  private readonly tokens: Map<TokenId, TokenRecord>;
  private readonly uses: TokenUses;
  private readonly next: Admission;
  private readonly nowMs: () => number;
  private readonly subscription: Cancellable;
  private readonly listeners = new Set<() => void>();

  static async open(options: TokenAdmissionOptions): Promise<TokenAdmission> {
    const { engine } = options;
    return await engine.read(({ serviceAccounts, tokens }) => new TokenAdmission(options, { serviceAccounts, tokens }));
  }

  private constructor(
    { engine, clock, next }: TokenAdmissionOptions,
    known: {
      readonly serviceAccounts: ReadonlyMap<ServiceAccountId, ServiceAccountRecord>;
      readonly tokens: ReadonlyMap<TokenId, TokenRecord>;
    },
  ) {
    this.accounts = new Map(known.serviceAccounts);
    this.tokens = new Map(known.tokens);
    this.uses = new TokenUses(engine, clock);
    this.next = next;
    this.nowMs = () => engine.nowMs();
    this.subscription = engine.onDurable((batch) => this.learn(batch));
  }

  close(): void {
    this.subscription.cancel();
    this.uses.close();
  }

  admit(credentials: Credentials): Caller | Promise<Caller> {
    const bearer = bearerOf(credentials.authorization);
    if (bearer?.startsWith(clientTokenPrefix) !== true) return this.next.admit(credentials);
    const given = parseClientToken(bearer);
    if ("problem" in given) throw invalid(`the token cannot be read: ${given.problem}`);
    const token = this.tokens.get(given.id);
    // One answer for a token that is not there and for a wrong secret: whoever guesses learns nothing.
    if (token === undefined || !isSame(digestSecret(given.secret), token.digest)) {
      throw invalid("the token is not known here: it was revoked, or is another server's; ask an admin for a new one");
    }
    if (token.expireTimeMs <= this.nowMs()) {
      const expireTime = new Date(token.expireTimeMs).toISOString();
      throw invalid(`tokens/${token.id} expired on ${expireTime}; ask an admin for a new one`, {
        token: `tokens/${token.id}`,
        expire_time: expireTime,
      });
    }
    return this.callerOf(token, credentials.address);
  }

  onChange(listener: () => void): Cancellable {
    this.listeners.add(listener);
    const behind = this.next.onChange(listener);
    return {
      cancel: () => {
        this.listeners.delete(listener);
        behind.cancel();
      },
    };
  }

  private callerOf(token: TokenRecord, address: string): Caller {
    const account = this.accounts.get(token.account);
    const principal = `serviceAccounts/${token.account}`;
    // Tokens go with their account, so that it is not there for the moment of one batch at most.
    if (account === undefined) throw invalid("the token is not known here: its account was deleted");
    if (account.spec.isDisabled) {
      throw invalid(`${principal} is disabled; an admin can enable it again`, { principal });
    }
    this.uses.note(token, this.nowMs());
    return {
      principal,
      authentication: "token",
      address,
      bindings: account.spec.bindings,
      expireTimeMs: token.expireTimeMs,
    };
  }

  private learn({ changes }: DurableBatch): void {
    let isChanged = false;
    for (const change of changes) {
      if (change.kind === "service-account") put(this.accounts, change);
      else if (change.kind === "token") put(this.tokens, change);
      else continue;
      isChanged ||= changesRights(change);
    }
    if (!isChanged) return;
    for (const listener of this.listeners) listener();
  }
}

function put<Id, R>(records: Map<Id, R>, { id, after }: { readonly id: Id; readonly after: R | undefined }): void {
  if (after === undefined) records.delete(id);
  else records.set(id, after);
}

/** That a token was used again, for one, changes nobody's rights. */
function changesRights(change: Extract<RecordChange, { kind: "service-account" | "token" }>): boolean {
  if (change.kind === "service-account") return true;
  const { before, after } = change;
  return before?.expireTimeMs !== after?.expireTimeMs || before?.isExpired !== after?.isExpired;
}

/** Takes as long for one digest as for another. */
function isSame(given: string, expected: string): boolean {
  const a = Buffer.from(given, "hex");
  const b = Buffer.from(expected, "hex");
  return a.length === b.length && timingSafeEqual(a, b);
}

function invalid(message: string, metadata: Readonly<Record<string, string>> = {}): MeridianError {
  return new MeridianError("CREDENTIALS_INVALID", message, { metadata });
}
