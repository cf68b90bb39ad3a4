/** Every way in that is to be shut, tried for every call that there is: who has not proven who he is comes nowhere. */
import assert from "node:assert/strict";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { Identity } from "../../../agent/identity/identity.ts";
import { guardedServices } from "../../../server/access/permissions.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { SecurePool } from "../../support/secure/secure-pool.ts";

const methods: readonly DescMethod[] = guardedServices.flatMap((service) => service.methods);

async function* nothing(): AsyncGenerator<object> {
  yield {};
}

/** How a call without any content ends; nothing if it is answered. */
async function endOf(transport: Transport, method: DescMethod): Promise<Code | undefined> {
  const client = createClient(method.parent, transport) as unknown as Record<string, (request: unknown) => unknown>;
  try {
    const answer = client[method.localName]?.(method.methodKind === "bidi_streaming" ? nothing() : {});
    if (method.methodKind === "unary") await (answer as Promise<unknown>);
    else for await (const _message of answer as AsyncIterable<unknown>) break;
    return undefined;
  } catch (error) {
    assert(error instanceof ConnectError, String(error));
    return error.code;
  }
}

describe("ways in that are shut", () => {
  let pool: SecurePool;
  let identity: Identity;
  let joinToken: string;
  let ca: string;

  before(async () => {
    pool = await SecurePool.start();
    ca = await pool.ca();
    ({ identity } = await pool.enrol("mac-1"));
    joinToken = (await pool.makeToken()).answer.token;
    const poolService = createClient(PoolService, await pool.transport());
    // Nobody is to be held back here for having failed so often.
    await poolService.updateSettings({ settings: { spec: { limits: { failedLoginsPerAddress: 100_000 } } } });
  });
  after(() => pool.close());

  type Port = "grpc" | "http" | "agent";

  function transportTo(
    port: Port,
    { protocol = "grpc", token, isAgent = false }: { protocol?: string; token?: string | undefined; isAgent?: boolean },
  ): Transport {
    const shown = isAgent ? { cert: identity.certificate, key: identity.key } : {};
    const options = {
      baseUrl: `https://${pool.server.addresses[port]}`,
      nodeOptions: { ca, ...shown },
      interceptors: [
        (next: (request: never) => Promise<never>) => (request: { readonly header: Headers }) => {
          if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
          return next(request as never);
        },
      ],
    };
    if (protocol === "connect") return createConnectTransport({ ...options, httpVersion: "1.1" } as never);
    if (protocol === "grpc-web") return createGrpcWebTransport({ ...options, httpVersion: "1.1" } as never);
    return createGrpcTransport(options as never);
  }

  const strangers: readonly (readonly [string, () => { readonly token?: string; readonly isAgent?: boolean }])[] = [
    ["nobody", () => ({})],
    ["a made-up token of the operator", () => ({ token: `mat1.${"A".repeat(43)}` })],
    ["a made-up token of a service account", () => ({ token: "mst1.token-abcdefghij.AAAA.0" })],
    ["a token that nobody has signed", () => ({ token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9." })],
    ["a join token", () => ({ token: joinToken })],
    ["a certificate of a host", () => ({ isAgent: true })],
  ];

  for (const [who, credentials] of strangers) {
    for (const [port, protocol] of [
      ["grpc", "grpc"],
      ["http", "connect"],
      ["http", "grpc-web"],
    ] as const) {
      it(`refuses ${who} every call on the ${port} port, by ${protocol}`, async () => {
        const transport = transportTo(port, { protocol, ...credentials() });
        for (const method of methods) {
          // HTTP/1.1 has no two-way streams.
          if (port === "http" && method.methodKind === "bidi_streaming") continue;
          let end = await endOf(transport, method);
          // Who fails faster than the largest rate that can be set is held back, and told the same after that.
          while (end === Code.ResourceExhausted) end = await endOf(transport, method);
          assert.equal(end === undefined ? "answered" : Code[end], "Unauthenticated", method.name);
        }
      });
    }
  }

  for (const isAgent of [false, true]) {
    it(`has none of these calls on the agents' port, ${isAgent ? "for a host" : "without a certificate"} either`, async () => {
      const transport = transportTo("agent", { isAgent, token: await pool.token() });
      for (const method of methods) {
        const end = await endOf(transport, method);
        assert.equal(end === undefined ? "answered" : Code[end], "Unimplemented", method.name);
      }
    });
  }

  it("would let the operator in where it refuses the others", async () => {
    const transport = transportTo("grpc", { token: await pool.token() });
    const ends = new Set<Code | undefined>();
    for (const method of methods.filter(({ localName }) => localName.startsWith("list"))) {
      ends.add(await endOf(transport, method));
    }
    assert.ok(ends.has(undefined));
    assert.ok(!ends.has(Code.Unauthenticated));
  });
});
