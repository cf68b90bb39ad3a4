/**
 * An identity provider over HTTP, as build systems have one: it signs what a test asks for, rotates its keys, and fails in the
 * ways that such services do.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from "jose";

interface SigningKey {
  readonly id: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** What it answers instead of its documents. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export const testAudience = "meridian.example.com";

export class TestIssuer {
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[] = [];
  /** By path; the others are answered as they should be. */
  readonly answers = new Map<string, Answer>();
  private readonly server: Server;
  private keys: readonly SigningKey[] = [];
  private keyCount = 0;

  static async start(): Promise<TestIssuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const issuer = new TestIssuer(server);
    await issuer.addKey();
    return issuer;
  }

  private constructor(server: Server) {
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => this.answer(request, response));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  /** From now on it signs with a new key; those before are still published. */
  async addKey(algorithm = "RS256"): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    this.keyCount += 1;
    const id = `key-${this.keyCount}`;
    const publicJwk = { ...(await exportJWK(publicKey)), kid: id, alg: algorithm, use: "sig" };
    this.keys = [...this.keys, { id, algorithm, privateKey, publicJwk }];
  }

  /** Takes back all keys but the newest. */
  dropOldKeys(): void {
    this.keys = this.keys.slice(-1);
  }

  get newestKey(): SigningKey {
    const key = this.keys.at(-1);
    if (key === undefined) throw new Error("the issuer has no key");
    return key;
  }

  /** A token of a job; `claims` that are undefined are left out. Times in seconds from now. */
  async token(
    claims: Readonly<Record<string, unknown>> = {},
    {
      header = {},
      key = this.newestKey,
    }: { readonly header?: Partial<JWTHeaderParameters>; readonly key?: SigningKey } = {},
  ): Promise<string> {
    const present = Object.entries({ ...this.claims(), ...claims }).filter(([, value]) => value !== undefined);
    return await new SignJWT(Object.fromEntries(present))
      .setProtectedHeader({ alg: key.algorithm, kid: key.id, typ: "JWT", ...header })
      .sign(key.privateKey);
  }

  /** What a token says if a test asks for nothing else. */
  claims(): Readonly<Record<string, unknown>> {
    const nowSeconds = Math.floor(Date.now() / 1000);
    return {
      iss: this.url,
      aud: testAudience,
      sub: "repo:acme/app:ref:refs/heads/main",
      repository: "acme/app",
      ref: "refs/heads/main",
      iat: nowSeconds,
      nbf: nowSeconds,
      exp: nowSeconds + 300,
    };
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.asked.push(path);
    const { status = 200, headers = {}, body = this.document(path) } = this.answers.get(path) ?? {};
    response.writeHead(body === undefined ? 404 : status, { "content-type": "application/json", ...headers });
    response.end(body);
  }

  private document(path: string): string | undefined {
    if (path === "/.well-known/openid-configuration") {
      return JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/keys` });
    }
    return path === "/keys" ? JSON.stringify({ keys: this.keys.map(({ publicJwk }) => publicJwk) }) : undefined;
  }
}
