/** Whom a pool lets in: service accounts with their tokens, and issuers. Like the rest of it they are changed by appliers alone. */
import { assert, required } from "../../shared/assert.ts";
import type { IssuerId, ServiceAccountId, TokenId } from "../../shared/ids.ts";
import type { RecordChange } from "./changes.ts";
import type { Deadlines } from "./deadlines.ts";
import type { IssuerRecord } from "./issuer.ts";
import { type ServiceAccountRecord, type TokenRecord, tokenDueMs } from "./service-account.ts";

export class Accounts {
  readonly serviceAccounts = new Map<ServiceAccountId, ServiceAccountRecord>();
  readonly tokens = new Map<TokenId, TokenRecord>();
  readonly issuers = new Map<IssuerId, IssuerRecord>();
  private readonly tokensByAccount = new Map<ServiceAccountId, Set<TokenId>>();
  private readonly deadlines: Deadlines;
  private readonly note: (change: RecordChange) => void;

  /** @param note is told of every change, for it to become durable. */
  constructor(deadlines: Deadlines, note: (change: RecordChange) => void) {
    this.deadlines = deadlines;
    this.note = note;
  }

  tokensOf(account: ServiceAccountId): ReadonlySet<TokenId> {
    return this.tokensByAccount.get(account) ?? noTokens;
  }

  putServiceAccount(after: ServiceAccountRecord): void {
    const before = this.serviceAccounts.get(after.id);
    this.serviceAccounts.set(after.id, after);
    this.note({ kind: "service-account", id: after.id, before, after });
  }

  /** Its tokens have been removed before. */
  removeServiceAccount(id: ServiceAccountId): void {
    const before = required(this.serviceAccounts.get(id), "service account to remove");
    assert(this.tokensOf(id).size === 0, `service account ${id} was removed with tokens`);
    this.serviceAccounts.delete(id);
    this.note({ kind: "service-account", id, before, after: undefined });
  }

  putToken(after: TokenRecord): void {
    const before = this.tokens.get(after.id);
    this.tokens.set(after.id, after);
    const ofAccount = this.tokensByAccount.get(after.account) ?? new Set();
    this.tokensByAccount.set(after.account, ofAccount.add(after.id));
    this.deadlines.schedule(`token/${after.id}`, tokenDueMs(after));
    this.note({ kind: "token", id: after.id, before, after });
  }

  removeToken(id: TokenId): void {
    const before = required(this.tokens.get(id), "token to remove");
    this.tokens.delete(id);
    const ofAccount = this.tokensByAccount.get(before.account);
    ofAccount?.delete(id);
    if (ofAccount?.size === 0) this.tokensByAccount.delete(before.account);
    this.deadlines.cancel(`token/${id}`);
    this.note({ kind: "token", id, before, after: undefined });
  }

  putIssuer(after: IssuerRecord): void {
    const before = this.issuers.get(after.id);
    this.issuers.set(after.id, after);
    this.note({ kind: "issuer", id: after.id, before, after });
  }

  removeIssuer(id: IssuerId): void {
    const before = required(this.issuers.get(id), "issuer to remove");
    this.issuers.delete(id);
    this.note({ kind: "issuer", id, before, after: undefined });
  }
}

const noTokens: ReadonlySet<TokenId> = new Set();
