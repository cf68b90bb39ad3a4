/** The ports of a running server, as whoever reaches them can use them. */
import { request as httpRequest } from "node:http";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { isObject, parseJson, textAt } from "../../../agent/parallels/decoders.ts";
import { guardedServices } from "../../../server/access/permissions.ts";
import { linkSamples } from "../link-samples.ts";
import { expect, type Target, type TargetMaker, textOf, type Verdict } from "../target.ts";
import { callBytes, hostileBytes } from "./frames.ts";
import { FuzzedServer, type PortName } from "./fuzzed-server.ts";
import { requestSamples } from "./request-samples.ts";

/** How long a connection is kept open for an answer, in ms; our half is closed at once. */
const answerMaxMs = 150;
/** After so many inputs the server is asked whether it is well. */
const wellEvery = 25;
/** A server with garbage to read may take its time, as long as it is well. */
const limitMs = 15_000;

const linkPath = "/meridian.agent.v1.AgentService/Connect";
const callPath = "/meridian.v1.PoolService/GetPool";

interface PortTarget {
  readonly name: string;
  readonly isSecure: boolean;
  readonly samples: readonly Uint8Array[];
  readonly words?: readonly string[];
  readonly judge: (server: FuzzedServer, input: Uint8Array) => Promise<Verdict>;
}

function portTarget({ name, isSecure, samples, words, judge }: PortTarget): TargetMaker {
  return {
    name,
    async open(): Promise<Target> {
      const server = await FuzzedServer.open(isSecure);
      let count = 0;
      return {
        name,
        samples,
        ...(words === undefined ? {} : { words }),
        limitMs,
        async judge(input) {
          const verdict = await judge(server, input);
          count += 1;
          if (count % wellEvery === 0) await server.checkWell();
          return verdict;
        },
        inspect: () => server.inspect(),
        close: () => server.close(),
      };
    },
  };
}

/** Sends all bytes and waits a moment for an answer; "decoded" if there was one. */
function sendBytes(server: FuzzedServer, port: PortName, input: Uint8Array, isRaw = false): Promise<Verdict> {
  return new Promise((resolve) => {
    const socket = server.dial(port, isRaw);
    let isAnswered = false;
    const timer = setTimeout(() => socket.destroy(), answerMaxMs);
    // A server may cut off whoever sends garbage.
    socket.on("error", () => undefined);
    socket.on("data", () => (isAnswered = true));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(isAnswered ? "decoded" : "refused");
    });
    socket.end(input);
  });
}

const http2Calls = [callBytes(callPath, [Buffer.alloc(0)]), ...hostileBytes(callPath)];
const http2Link = [callBytes(linkPath, linkSamples()), ...hostileBytes(linkPath)];
const http1Calls = [
  `GET / HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  `GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n`,
  `POST ${callPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  `POST ${callPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  `POST ${callPath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd`,
].map((text) => Buffer.from(text));
const http1Words = [
  "\r\n",
  "Content-Length: 9999999\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Expect: 100-continue\r\n",
  "Upgrade: h2c\r\n",
];
/** A ClientHello of TLS 1.0, as scanners send it. */
const clientHello = Buffer.from(`160301002f0100002b0301${"ab".repeat(32)}000004002f00ff0100`, "hex");

const raw = (["grpc", "agent", "http"] as const).flatMap((port) =>
  [false, true].map((isSecure) =>
    portTarget({
      name: `port-${port}${isSecure ? "-tls" : ""}`,
      isSecure,
      samples: { grpc: http2Calls, agent: http2Link, http: http1Calls }[port],
      words: port === "http" ? http1Words : ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
      judge: (server, input) => sendBytes(server, port, input),
    }),
  ),
);

const handshake = portTarget({
  name: "port-handshake",
  isSecure: true,
  samples: [clientHello, ...http1Calls.slice(0, 1), ...http2Calls.slice(0, 1)],
  async judge(server, input) {
    const verdicts = await Promise.all(
      (["grpc", "agent", "http"] as const).map((port) => sendBytes(server, port, input, true)),
    );
    return verdicts.includes("decoded") ? "decoded" : "refused";
  },
});

/** Errors that say that the server does not know what it did. */
const bugCodes = new Set(["internal", "unknown", "data_loss"]);
const callMaxMs = 2_000;

const calls = portTarget({
  name: "port-calls",
  isSecure: false,
  samples: requestSamples(),
  words: guardedServices.flatMap((service) => service.methods.map(({ name }) => name)).slice(0, 60),
  async judge(server, input) {
    const { path, body } = callOf(textOf(input));
    const { code, answer } = await post(server, path, body);
    const said = parseJson(answer)?.value;
    const error = isObject(said) ? textAt(said, "code") : "";
    expect(code !== 500 && !bugCodes.has(error), `${path} is answered with ${code} ${answer.slice(0, 500)}`);
    return code === 200 ? "decoded" : "refused";
  },
});

function callOf(text: string): { readonly path: string; readonly body: string } {
  const call = parseJson(text)?.value;
  if (!isObject(call)) return { path: callPath.slice(1), body: text };
  return { path: textAt(call, "path").replace(/[^\w./-]/g, "_"), body: JSON.stringify(call["message"]) ?? "" };
}

function post(
  { addresses }: FuzzedServer,
  path: string,
  body: string,
): Promise<{ readonly code: number; readonly answer: string }> {
  const [host, port] = addresses.http.split(":");
  const headers = { "Content-Type": "application/json", "Connect-Timeout-Ms": String(callMaxMs) };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, path: `/${path}`, method: "POST", headers }, (response) => {
      let answer = "";
      response.on("data", (chunk: Buffer) => (answer += chunk.toString("utf8")));
      response.on("end", () => resolve({ code: response.statusCode ?? 0, answer }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

const [hello = Buffer.alloc(0)] = linkSamples();

/** Messages of the link to the agents' port, as the first one, and after a Hello. */
const link = portTarget({
  name: "port-link",
  isSecure: false,
  samples: linkSamples(),
  async judge(server, input) {
    const client = new Client(server.addresses.agent, credentials.createInsecure());
    try {
      const ends = await Promise.all([[input], [hello, input]].map((messages) => say(client, messages)));
      return ends.some((end) => end === undefined) ? "decoded" : "refused";
    } finally {
      client.close();
    }
  },
});

/** The server's word against the messages, or nothing if it listens on. */
function say(client: Client, messages: readonly Uint8Array[]): Promise<ServiceError | undefined> {
  const stream = client.makeBidiStreamRequest<Uint8Array, Buffer>(
    linkPath,
    (bytes) => Buffer.from(bytes),
    (bytes) => bytes,
  );
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stream.cancel(), answerMaxMs);
    stream.on("data", () => undefined);
    stream.on("error", (error: ServiceError) => {
      clearTimeout(timer);
      const isOurs = error.code === status.CANCELLED;
      const isUnreadable = /deserializ/i.test(error.details);
      const isBug = error.code === status.UNKNOWN || (error.code === status.INTERNAL && !isUnreadable);
      if (isBug) reject(new Error(`the server ended a link with ${error.message}`));
      else resolve(isOurs ? undefined : error);
    });
    stream.on("end", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    for (const message of messages) stream.write(message);
  });
}

export const portTargets: readonly TargetMaker[] = [...raw, handshake, calls, link];
