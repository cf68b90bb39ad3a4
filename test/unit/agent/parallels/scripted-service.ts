/**
 * A service on a real socket that answers as a test tells it, for tests of what goes over the wire. It hands out tokens by
 * itself and keeps every request; routes that the test has not named get the real one's answer for unknown routes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import type { ParallelsApi } from "../../../../agent/parallels/api.ts";
import { createHttpParallelsApi, type HttpParallelsApiOptions } from "../../../../agent/parallels/http-api.ts";

export interface SeenRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Parsed JSON, or undefined for none. */
  readonly body: unknown;
}

export interface ScriptedAnswer {
  readonly status?: number;
  /** Sent as JSON unless `text` is given. */
  readonly json?: unknown;
  readonly text?: string;
  /** Cut the connection instead of answering. */
  readonly isCut?: boolean;
}

export type Script = (request: SeenRequest) => ScriptedAnswer | Promise<ScriptedAnswer>;

export interface ScriptedService {
  readonly url: string;
  readonly requests: SeenRequest[];
  /** The connections for events, in the order in which they came. */
  readonly sockets: WebSocket[];
  /** How the next logins end; by default each gives a new token, "token-1", "token-2" and so on, good for an hour. */
  onLogin: Script;
  /** The one `Authorization` with which connections for events are refused, with 401; none by default. */
  refusedAuthorization: string | undefined;
  /** Answers a path below `/api/v1`, for all methods unless one is named: "GET /machines". */
  answer(route: string, script: Script | ScriptedAnswer): void;
  /** A client of this service; closed with it. */
  connect(options?: Partial<HttpParallelsApiOptions>): ParallelsApi;
  /** The requests for a path below `/api/v1`, without logins. */
  seen(path: string): readonly SeenRequest[];
  close(): Promise<void>;
}

const root = "/api/v1";

export async function startScriptedService(): Promise<ScriptedService> {
  const scripts = new Map<string, Script>();
  const clients: ParallelsApi[] = [];
  let tokenCount = 0;
  const server = createServer((request, response) => {
    void respond(request, response);
  });
  const events = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (service.refusedAuthorization !== undefined && request.headers.authorization === service.refusedAuthorization) {
      socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    service.requests.push({ method: "GET", path: request.url ?? "", headers: request.headers, body: undefined });
    events.handleUpgrade(request, socket, head, (webSocket) => service.sockets.push(webSocket));
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readAll(request);
    const path = request.url ?? "";
    const method = request.method ?? "";
    const seen = { method, path, headers: request.headers, body: text === "" ? undefined : JSON.parse(text) };
    service.requests.push(seen);
    const route = path.startsWith(root) ? path.slice(root.length) : path;
    const known = scripts.get(`${method} ${route}`) ?? scripts.get(route);
    const script = route === "/auth/token" ? service.onLogin : (known ?? (() => unknownRoute(path)));
    const answer = await script(seen);
    if (answer.isCut === true) {
      request.socket.destroy();
      return;
    }
    const isText = answer.text !== undefined;
    response.writeHead(answer.status ?? 200, { "content-type": isText ? "text/html" : "application/json" });
    response.end(isText ? answer.text : answer.json === undefined ? "" : JSON.stringify(answer.json));
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const service: ScriptedService = {
    url: `http://127.0.0.1:${address.port}`,
    requests: [],
    sockets: [],
    onLogin: () => {
      tokenCount += 1;
      return { json: { token: `token-${tokenCount}`, expires_at: Math.floor(Date.now() / 1000) + 3600 } };
    },
    refusedAuthorization: undefined,
    answer(route, script) {
      scripts.set(route, typeof script === "function" ? script : () => script);
    },
    connect(options = {}) {
      const client = createHttpParallelsApi({
        baseUrl: service.url,
        credentials: { apiKey: "key:secret" },
        ...options,
      });
      clients.push(client);
      return client;
    },
    seen: (path) => service.requests.filter((request) => request.path === root + path),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      for (const socket of service.sockets) socket.terminate();
      events.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return service;
}

export function unknownRoute(path: string): ScriptedAnswer {
  return { status: 404, json: { message: `resource ${path} not found`, code: 404 } };
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
