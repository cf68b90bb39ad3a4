/**
 * Lets in callers by a token of an issuer that the pool knows: who he is stands in the token, and what he may do follows from
 * the issuer's rules. Whoever comes with something else is left to the admission behind it.
 */
import { decodeJwt } from "jose";
import type { Cancellable } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import type { Admission, Credentials } from "../admission.ts";
import { bearerOf } from "../bearer.ts";
import type { Caller } from "../caller.ts";
import { proveToken } from "./issuer-tokens.ts";
import type { Issuers, KnownIssuer } from "./issuers.ts";

export interface OidcAdmissionOptions {
  readonly issuers: Pick<Issuers, "find" | "onChange">;
  /** The pool's time. */
  readonly nowMs: () => number;
  /** Asked about whatever is no token of an issuer. */
  readonly next: Admission;
}

export class OidcAdmission implements Admission {
  private readonly issuers: OidcAdmissionOptions["issuers"];
  private readonly nowMs: () => number;
  private readonly next: Admission;

  constructor({ issuers, nowMs, next }: OidcAdmissionOptions) {
    this.issuers = issuers;
    this.nowMs = nowMs;
    this.next = next;
  }

  admit(credentials: Credentials): Caller | Promise<Caller> {
    const bearer = bearerOf(credentials.authorization);
    if (bearer === undefined || !looksLikeJwt(bearer)) return this.next.admit(credentials);
    return this.prove(bearer, credentials.address);
  }

  onChange(listener: () => void): Cancellable {
    const own = this.issuers.onChange(listener);
    const behind = this.next.onChange(listener);
    return {
      cancel: () => {
        own.cancel();
        behind.cancel();
      },
    };
  }

  private async prove(token: string, address: string): Promise<Caller> {
    const { record, keys, rules } = this.issuerOf(token);
    const name = `issuers/${record.id}`;
    const { url, audiences, isDisabled } = record.spec;
    if (isDisabled) throw invalid(`${name} is disabled; an admin can enable it again`, { issuer: name });
    const { subject, claims, expireTimeMs } = await proveToken(token, {
      name,
      url,
      audiences,
      key: keys.find,
      nowMs: this.nowMs(),
    });
    const principal = principalOf(record.id, subject);
    const bindings = rules.filter((rule) => rule.evaluate(claims).holds).map(({ binding }) => binding);
    if (bindings.length > 0) return { principal, authentication: "oidc", address, bindings, expireTimeMs };
    throw new MeridianError(
      "ROLE_MISSING",
      `no rule of ${name} holds for ${principal}; an admin sees why with \`meridian issuer explain ${record.id}\``,
      { metadata: { principal, role: "", project: "" } },
    );
  }

  private issuerOf(token: string): KnownIssuer {
    const url = issuerIn(token);
    const issuer = url === undefined ? undefined : this.issuers.find(url);
    if (issuer !== undefined) return issuer;
    throw url === undefined
      ? invalid("the token cannot be read: it looks like a JWT, and is none that names its issuer")
      : invalid(`no issuer of this pool is ${JSON.stringify(url.slice(0, 200))}; an admin can let its tokens in`);
  }
}

/** Who a token's holder is, in the pool. */
export function principalOf(issuer: string, subject: string): string {
  return `issuers/${issuer}/subjects/${subject}`;
}

/** Three parts, as every signed one has, the first of them an object in JSON. */
function looksLikeJwt(text: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(text);
}

/** Believed only once the token is proven: it says whose keys to prove it with. */
function issuerIn(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

function invalid(message: string, metadata: Readonly<Record<string, string>> = {}): MeridianError {
  return new MeridianError("CREDENTIALS_INVALID", message, { metadata });
}
