/**
 * Who may call: an API key, which is never forgotten, or a token, which expires, and which a restart of the service voids
 * because its signing secret is made anew.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../shared/clock.ts";
import type { Random } from "../random.ts";

export interface CredentialsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How long a token is valid, in ms. */
  readonly tokenLifetimeMs: number;
  /** In the form "key:secret". */
  readonly apiKey: string;
  /** Of the user "root", whose e-mail address is "root@localhost". */
  readonly rootPassword: string;
}

export type Caller = "user" | "api-key" | "refused" | "nobody";

export class Credentials {
  readonly #options: CredentialsOptions;
  #secret: string;

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#secret = options.random.hex(64);
  }

  /** The form in which callers send the API key. */
  get encodedApiKey(): string {
    return Buffer.from(this.#options.apiKey).toString("base64");
  }

  voidTokens(): void {
    this.#secret = this.#options.random.hex(64);
  }

  isApiKey(encoded: string): boolean {
    return isSame(encoded, this.encodedApiKey);
  }

  isRoot(user: string, password: string): boolean {
    return ["root", "root@localhost"].includes(user) && isSame(password, this.#options.rootPassword);
  }

  isKnownUser(user: string): boolean {
    return ["root", "root@localhost"].includes(user);
  }

  createToken(): { readonly token: string; readonly expiresAtSeconds: number } {
    const expiresAtSeconds = Math.floor((this.#options.clock.wallMs() + this.#options.tokenLifetimeMs) / 1_000);
    const header = encode({ alg: "HS256", typ: "JWT" });
    const claims = encode({
      email: "root@localhost",
      username: "root",
      uid: "root",
      roles: ["SUPER_USER"],
      claims: [],
      exp: expiresAtSeconds,
    });
    return { token: `${header}.${claims}.${this.#sign(`${header}.${claims}`)}`, expiresAtSeconds };
  }

  isValidToken(token: string): boolean {
    const [header, claims, signature, ...rest] = token.split(".");
    if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) return false;
    if (!isSame(signature, this.#sign(`${header}.${claims}`))) return false;
    const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { exp: number }; // We signed it.
    return exp * 1_000 > this.#options.clock.wallMs();
  }

  identify(headers: IncomingHttpHeaders, query: URLSearchParams): Caller {
    const bearer = /^bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
    const token = bearer ?? query.get("access_token") ?? query.get("authorization") ?? undefined;
    if (token !== undefined && this.isValidToken(token)) return "user";
    const key = headers["x-api-key"];
    if (typeof key === "string" && this.isApiKey(key)) return "api-key";
    return token === undefined && key === undefined ? "nobody" : "refused";
  }

  #sign(signed: string): string {
    return createHmac("sha256", this.#secret).update(signed).digest("base64url");
  }
}

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
