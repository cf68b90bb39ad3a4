/**
 * The HTTP port: the API by Connect, gRPC-Web and JSON over HTTP/1.1, signs of life for probes, and a page that says what
 * this is. Bodies, headers, times and connections are bounded; no other origin is let in.
 */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { TlsOptions } from "node:tls";
import { createContextValues } from "@connectrpc/connect";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { toConnectError } from "./error-status.ts";
import {
  httpConnectionsMax,
  httpHeaderBytesMax,
  httpHeadersMax,
  httpHeadersTimeoutMs,
  httpKeepAliveTimeoutMs,
  httpRequestTimeoutMs,
  requestBytesMax,
  responseBytesMax,
} from "./limits.ts";
import { refusedOrigin } from "./origin.ts";
import { peerAddressKey, type RouteOptions, routeService } from "./rpc/connect-routes.ts";
import type { ServiceBinding } from "./rpc/handlers.ts";
import { explainRefusals, unknownMethod } from "./rpc/request-refusals.ts";

export interface HttpOptions extends RouteOptions {
  /** The server's version, for the page. */
  readonly version: string;
  /** Whether requests can be served now. */
  readonly isReady: () => boolean;
  /** How it speaks TLS; absent: plain text. */
  readonly security?: HttpSecurity | undefined;
}

export interface HttpSecurity {
  readonly httpsOptions: TlsOptions;
  /** Keeps the certificate of the server up to date from now on. */
  keep(server: HttpsServer): void;
}

/** A server that does not listen yet. */
export function createHttpServer(bindings: readonly ServiceBinding[], options: HttpOptions): Server {
  const api = connectNodeAdapter({
    routes: (router) => {
      for (const binding of bindings) routeService(router, binding, options);
    },
    readMaxBytes: requestBytesMax,
    // A field that is misspelt would otherwise silently count as absent.
    jsonOptions: { ignoreUnknownFields: false },
    writeMaxBytes: responseBytesMax,
    requestGate: explainRefusals,
    contextValues: (request) => createContextValues().set(peerAddressKey, request.socket.remoteAddress ?? ""),
    fallback: (request, response) => {
      // The adapter's types cover HTTP/2 too, which this server does not speak.
      servePage(request as IncomingMessage, response as ServerResponse, options);
    },
  });
  const { security } = options;
  const server = openServer(security, (request, response) => {
    response.setHeader("x-content-type-options", "nosniff");
    const refusal = refusedOrigin(request.headers, security === undefined ? "http" : "https");
    if (refusal === undefined) api(request, response);
    else serveText(response, 403, refusal);
  });
  server.maxConnections = httpConnectionsMax;
  server.maxHeadersCount = httpHeadersMax;
  return server;
}

const serverOptions: ServerOptions = {
  headersTimeout: httpHeadersTimeoutMs,
  requestTimeout: httpRequestTimeoutMs,
  keepAliveTimeout: httpKeepAliveTimeoutMs,
  maxHeaderSize: httpHeaderBytesMax,
  // Looks for connections that broke these bounds as often as the smallest of them.
  connectionsCheckingInterval: httpHeadersTimeoutMs,
};

function openServer(
  security: HttpSecurity | undefined,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  if (security === undefined) return createServer(serverOptions, serve);
  // A peer that never ends its handshake is held to the same bound as one that never ends its headers.
  const handshake = { handshakeTimeout: httpHeadersTimeoutMs, ALPNProtocols: ["http/1.1"] };
  const server = createHttpsServer({ ...serverOptions, ...security.httpsOptions, ...handshake }, serve);
  security.keep(server);
  return server;
}

function servePage(request: IncomingMessage, response: ServerResponse, options: HttpOptions): void {
  const [path = ""] = (request.url ?? "/").split("?", 1);
  if (request.method !== "GET" && request.method !== "HEAD") {
    const error = toConnectError(unknownMethod(path));
    serve(response, { status: 404, type: "application/json", body: errorToJsonBytes(error, undefined) });
  } else if (path === "/healthz") {
    serveText(response, 200, "ok");
  } else if (path === "/readyz") {
    if (options.isReady()) serveText(response, 200, "ready");
    else serveText(response, 503, "not serving");
  } else if (path === "/") {
    serveText(response, 200, welcome(options.version));
  } else {
    serveText(response, 404, "nothing is here; see /");
  }
}

function serveText(response: ServerResponse, status: number, text: string): void {
  serve(response, { status, type: "text/plain; charset=utf-8", body: `${text}\n` });
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

function serve(response: ServerResponse, { status, type, body }: Page): void {
  // A body that nobody reads must not be taken for the next request.
  if (status >= 400) response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(body);
}

function welcome(version: string): string {
  return [
    `Meridian ${version}: runs a pool of Macs with Parallels Desktop as one machine.`,
    "",
    "This port speaks Connect, gRPC-Web and JSON, for example:",
    "  curl -H 'content-type: application/json' -d '{}' http://HOST:PORT/meridian.v1.PoolService/GetPool",
    "The gRPC port has the same services, with reflection: grpcurl -plaintext HOST:PORT list",
    "",
    "/healthz  the process lives",
    "/readyz   it serves",
  ].join("\n");
}
