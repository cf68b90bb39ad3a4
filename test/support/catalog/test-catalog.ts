/**
 * A Parallels catalog over HTTP, as far as the server reads one: logins, and the list of manifests with all that stands in it,
 * the credentials of their storage included. It fails in the ways that such a service does.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface TestManifest {
  readonly catalog_id: string;
  readonly version: string;
  readonly architecture?: string;
  readonly tags?: readonly string[];
  readonly tainted?: boolean;
  readonly tainted_by?: string;
  readonly revoked?: boolean;
  readonly revoked_by?: string;
  readonly required_roles?: readonly string[];
  readonly required_claims?: readonly string[];
}

/** What it answers instead, whatever is asked; "silence" is no answer at all. */
export type Trouble = { readonly status: number; readonly body?: string } | "silence";

/** Of a manifest's storage: what nobody but a host that pulls may ever see. */
export const storageSecret = "storage-secret-h7Kq2";

export class TestCatalog {
  readonly url: string;
  readonly username = "ci";
  readonly password = "catalog-secret-w9Zt4";
  /** Base64 of "key:secret". */
  readonly apiKey = Buffer.from("KEY:catalog-secret-w9Zt4").toString("base64");
  manifests: readonly TestManifest[] = [];
  trouble: Trouble | undefined;
  /** Method and path of every request. */
  readonly asked: string[] = [];
  private readonly server: Server;

  static async start(): Promise<TestCatalog> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TestCatalog(server);
  }

  private constructor(server: Server) {
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.answer(request, response).catch(() => response.destroy());
    });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    this.asked.push(`${method} ${url}`);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    if (this.trouble === "silence") return;
    if (this.trouble !== undefined) return send(this.trouble.status, this.trouble.body ?? "");
    if (method === "POST" && url === "/api/v1/auth/token") {
      const { username, password } = JSON.parse(Buffer.concat(parts).toString()) as Readonly<Record<string, string>>;
      const isRight = username === this.username && password === this.password;
      // As the service does: a wrong password is not found, and its message repeats what it was shown.
      if (!isRight) return send(404, { message: `error 404: ${username}:${password}`, code: 404 });
      return send(200, { email: "ci@localhost", token: "catalog-token-p3Xm8", expires_at: 1 });
    }
    const isKnown = headers.authorization === "Bearer catalog-token-p3Xm8" || headers["x-api-key"] === this.apiKey;
    if (!isKnown) return send(401, { error: "unauthorized_client", error_description: "missing" });
    if (method === "GET" && url === "/api/v1/catalog") return send(200, this.listing());
    send(404, { message: `resource ${url} not found`, code: 404 });
  }

  /** By their ids, as the service lists them. */
  private listing(): readonly unknown[] {
    const provider = { type: "aws-s3", password: storageSecret, meta: { secret_key: storageSecret } };
    const groups = new Map<string, unknown[]>();
    for (const manifest of this.manifests) {
      const group = groups.get(manifest.catalog_id) ?? [];
      groups.set(manifest.catalog_id, group);
      group.push({ name: "x", id: "1", architecture: "arm64", type: "macvm", provider, size: 1, ...manifest });
    }
    return [...groups].map(([id, group]) => ({ [id]: group }));
  }
}
