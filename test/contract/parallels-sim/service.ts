/** Talks raw HTTP and WebSocket to a service, so that nothing of a client's cleverness hides what it says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "undici";
import { WebSocket } from "ws";
import { type RunningMac, type SimulatedMacOptions, startSimulatedMac } from "../../../simulator/simulated-mac.ts";

// What comes over the wire is looked at field by field in the tests.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** The parsed body; undefined if it is empty. */
  readonly json: Json;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Service {
  readonly running: RunningMac;
  /** With the API key, unless the options have headers of their own. */
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Reply>;
  /** The headers of a fresh token. */
  readonly logIn: () => Promise<Readonly<Record<string, string>>>;
  /** A socket with everything that it is sent from the start. */
  readonly listen: (query: string, headers?: Readonly<Record<string, string>>) => Promise<EventStream>;
  /** The verb of the state routes. */
  readonly stateVerb: "GET" | "PUT";
}

export interface EventStream {
  readonly socket: WebSocket;
  readonly messages: readonly Json[];
  /** Resolves once a message fits; the test's own limit bounds the wait. */
  readonly until: (fits: (message: Json) => boolean) => Promise<Json>;
}

const started = new Set<RunningMac>();

/** A Mac without delays, unless the options have some; `closeServices` ends it. */
export async function startService(options: SimulatedMacOptions = {}): Promise<Service> {
  const running = await startSimulatedMac({ instant: true, ...options });
  started.add(running);
  const call: Service["call"] = async (method, path, { body, headers = { "x-api-key": running.apiKey } } = {}) => {
    const response = await request(`${running.url}${path}`, {
      method,
      headers: { ...headers, connection: "close" },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.body.text();
    const contentType = String(response.headers["content-type"]);
    return { status: response.statusCode, contentType, text, json: text === "" ? undefined : JSON.parse(text) };
  };
  return {
    running,
    call,
    async logIn() {
      const { json } = await call("POST", "/api/v1/auth/token", { body: { api_key: running.apiKey }, headers: {} });
      return { authorization: `Bearer ${json.token}` };
    },
    async listen(query, headers = { "x-api-key": running.apiKey }) {
      const url = `${running.url.replace("http", "ws")}/api/v1/ws/subscribe${query}`;
      const socket = new WebSocket(url, { headers });
      const messages: Json[] = [];
      socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString())));
      await once(socket, "open");
      const until = async (fits: (message: Json) => boolean): Promise<Json> => {
        for (let at = 0; ; at += 1) {
          while (at >= messages.length) await once(socket, "message");
          if (fits(messages[at])) return messages[at];
        }
      };
      return { socket, messages, until };
    },
    stateVerb: running.mac.facts.serviceVersion === "1.0.4" ? "GET" : "PUT",
  };
}

/** For `afterEach`. */
export async function closeServices(): Promise<void> {
  await Promise.all([...started].map((running) => running.close()));
  started.clear();
}

/** The one VM of that name, from a list. */
export async function readVm(service: Service, name: string): Promise<Json> {
  const { json } = await service.call("GET", "/api/v1/machines");
  const found = json.filter((vm: Json) => vm.Name === name);
  assert.equal(found.length, 1, `one VM ${name}`);
  return found[0];
}

/** Asks until the answer fits; the test's own limit bounds the wait. */
export async function untilReply(ask: () => Promise<Reply>, fits: (reply: Reply) => boolean): Promise<Reply> {
  for (;;) {
    const reply = await ask();
    if (fits(reply)) return reply;
  }
}
