/**
 * The service of one simulated Mac on a real port: node:http in front of the model, with the service's routes, credentials
 * and ways of saying no. It can go away and come back on the same port.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "../../shared/log.ts";
import type { SimulatedMac } from "../mac.ts";
import type { Random } from "../random.ts";
import { ServiceError } from "../service-error.ts";
import { createCreateRoutes } from "./create-routes.ts";
import type { Credentials } from "./credentials.ts";
import { errorAnswer, notAuthorised, routeNotFound } from "./error-bodies.ts";
import { EventSockets } from "./event-sockets.ts";
import { createHostRoutes } from "./host-routes.ts";
import { readBody } from "./request-body.ts";
import type { Answer, Route } from "./route.ts";
import { Router } from "./router.ts";
import { createStateRoutes } from "./state-routes.ts";
import { createTokenRoutes } from "./token-routes.ts";
import { createVmRoutes } from "./vm-routes.ts";

const listenAddress = "127.0.0.1";
const idleLimitMs = 60_000;
const headersLimitMs = 30_000;
/** Connections at once; an agent needs a handful. */
const connectionCountMax = 1_000;

export interface MacServerOptions {
  readonly mac: SimulatedMac;
  readonly credentials: Credentials;
  /** 0 picks a free one, which is kept from then on. */
  readonly port: number;
  /** For the ids of messages. */
  readonly random: Random;
  readonly log: Logger;
}

export class MacServer {
  readonly #options: MacServerOptions;
  readonly #router: Router;
  readonly #eventSockets: EventSockets;
  readonly #sockets = new Set<Socket>();
  #port: number;
  #server: Server | undefined;

  constructor(options: MacServerOptions) {
    const { mac, credentials } = options;
    this.#options = options;
    this.#port = options.port;
    this.#eventSockets = new EventSockets(mac, options.random);
    this.#router = new Router([
      ...createTokenRoutes(credentials),
      ...createHostRoutes(mac),
      ...createCreateRoutes(mac),
      ...createVmRoutes(mac),
      ...createStateRoutes(mac),
    ]);
  }

  get url(): string {
    return `http://${listenAddress}:${this.#port}`;
  }

  /** Resolves once it listens; rejects if the port is taken. Does nothing if it listens already. */
  async open(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((request, response) => {
      // The response owns the work: whatever comes of it is written there.
      void this.#respond(request, response);
    });
    server.keepAliveTimeout = idleLimitMs;
    server.headersTimeout = headersLimitMs;
    server.requestTimeout = 0;
    server.maxConnections = connectionCountMax;
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, listenAddress, () => {
        server.off("error", reject);
        resolve();
      });
    }).catch((error: unknown) => {
      this.#server = undefined;
      throw error;
    });
    // A TCP server's address is always of this form.
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Cuts every connection and stops listening. */
  async shut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    this.#eventSockets.dropAll();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async close(): Promise<void> {
    await this.shut();
    this.#eventSockets.close();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answer(request);
    response.statusCode = answer.status;
    // Exactly this: clients of the service compare it as a whole.
    response.setHeader("Content-Type", "application/json");
    response.end(answer.body === undefined ? undefined : `${JSON.stringify(answer.body)}\n`);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { credentials, mac, log } = this.#options;
    const { pathname, searchParams } = toUrl(request);
    const match = this.#router.find(request.method ?? "GET", pathname);
    if (match === undefined) return routeNotFound(pathname);
    const { route, params } = match;
    if (route.access !== "anyone") {
      const refusal = refuse(route, credentials.identify(request.headers, searchParams));
      if (refusal !== undefined) return refusal;
    }
    try {
      const body = await readBody(request);
      return await route.handle({ params, query: searchParams, headers: request.headers, body });
    } catch (error) {
      if (error instanceof ServiceError) {
        return errorAnswer(error.status, error.message, route.errors, mac.clock.wallMs());
      }
      // A caller who went away while it spoke is no failure.
      if (!request.destroyed) log.error({ err: error, path: route.path }, "simulated service failed");
      return errorAnswer(500, "internal server error");
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A connection that breaks now needs no answer.
    socket.on("error", () => {});
    const { pathname, searchParams } = toUrl(request);
    if (pathname !== "/api/v1/ws/subscribe" && pathname !== "/api/ws/subscribe") {
      refuseUpgrade(socket, routeNotFound(pathname));
      return;
    }
    const caller = this.#options.credentials.identify(request.headers, searchParams);
    if (caller === "nobody" || caller === "refused") refuseUpgrade(socket, notAuthorised(caller === "refused"));
    else if (this.#eventSockets.isFull) refuseUpgrade(socket, errorAnswer(503, "too many clients"));
    else this.#eventSockets.accept(request, socket, head);
  }
}

function refuse(route: Route, caller: ReturnType<Credentials["identify"]>): Answer | undefined {
  if (caller === "nobody" || caller === "refused") return notAuthorised(caller === "refused");
  return route.access === "user" && caller === "api-key" ? errorAnswer(401, "User not found") : undefined;
}

function refuseUpgrade(socket: Duplex, answer: Answer): void {
  const body = JSON.stringify(answer.body);
  socket.end(
    `HTTP/1.1 ${answer.status} Refused\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function toUrl(request: IncomingMessage): URL {
  return URL.parse(request.url ?? "/", "http://localhost") ?? new URL("http://localhost/");
}
