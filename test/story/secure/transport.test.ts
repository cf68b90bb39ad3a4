import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { openTransport } from "../../../cli/connection.ts";
import { required } from "../../../shared/assert.ts";
import { systemClock } from "../../../shared/clock.ts";
import { Health } from "../../../shared/gen/es/grpc/health/v1/health_pb.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { fingerprintOf, parseFingerprint } from "../../../shared/tls/fingerprint.ts";
import { fetchPinnedCa, PinFailed } from "../../../shared/tls/pinned-ca.ts";
import { runAlone } from "../../support/cli/meridian.ts";
import { SecurePool } from "../../support/secure/secure-pool.ts";

describe("a server with TLS", () => {
  let pool: SecurePool;
  before(async () => {
    pool = await SecurePool.start();
  });
  after(() => pool.close());

  const portOf = (address: string): { host: string; port: number } => {
    const [host = "", port] = address.split(":");
    return { host, port: Number(port) };
  };

  for (const port of ["grpc", "agent", "http"] as const) {
    it(`speaks TLS 1.3 on the ${port} port, with a certificate of its CA, and nothing older`, async () => {
      const address = portOf(pool.server.addresses[port]);
      const ca = await pool.ca();
      const version = await new Promise<string | null>((resolve, reject) => {
        const socket = connectTls({ ...address, ca, ALPNProtocols: ["h2", "http/1.1"] }, () => {
          resolve(socket.getProtocol());
          socket.destroy();
        }).on("error", reject);
      });
      assert.equal(version, "TLSv1.3");
      await new Promise<void>((resolve, reject) => {
        connectTls({ ...address, ca, maxVersion: "TLSv1.2" }, () => reject(new Error("TLS 1.2 was taken"))).on(
          "error",
          ({ message }) => (/protocol version/.test(message) ? resolve() : reject(new Error(message))),
        );
      });
    });

    it(`answers plain text on the ${port} port with nothing that is one`, async () => {
      const heard = await new Promise<string>((resolve) => {
        let text = "";
        const socket = connectTcp(portOf(pool.server.addresses[port]), () => {
          socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        });
        socket.on("data", (chunk) => {
          text += chunk.toString("latin1");
        });
        socket.on("close", () => resolve(text)).on("error", () => undefined);
      });
      assert.doesNotMatch(heard, /HTTP|ok/);
    });
  }

  it("keeps its keys and the operator's token for its own user", async () => {
    const modeOf = async (...path: string[]): Promise<number> => (await stat(join(pool.dataDir, ...path))).mode & 0o777;
    assert.equal(await modeOf("tls"), 0o700);
    for (const file of ["authority.json", "server.json", "ca.pem"])
      assert.equal(await modeOf("tls", file), 0o600, file);
    assert.equal(await modeOf("admin-token"), 0o600);
  });

  it("lets nobody in without a token, on either public port, and says which of the two is wrong", async () => {
    const ca = await pool.ca();
    const over = (token: string | undefined) => [
      openTransport({
        server: pool.server.addresses.grpc,
        timeoutMs: 5000,
        trust: { kind: "tls", ca },
        ...(token !== undefined && { token }),
      }).transport,
      createConnectTransport({
        baseUrl: `https://${pool.server.addresses.http}`,
        httpVersion: "1.1",
        nodeOptions: { ca },
        interceptors: [
          (next) => (request) => {
            if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
            return next(request);
          },
        ],
      }),
    ];
    for (const [token, expected] of [
      [undefined, /says not who/],
      ["mat1.wrong", /not known here/],
    ] as const) {
      for (const transport of over(token)) {
        await assert.rejects(createClient(PoolService, transport).getPool({}), (error) => {
          assert(error instanceof ConnectError);
          assert.equal(error.code, Code.Unauthenticated);
          assert.match(error.rawMessage, expected);
          return true;
        });
      }
    }
    for (const transport of over(await pool.token())) {
      assert.equal((await createClient(PoolService, transport).getPool({})).pool?.version, "1.2.3");
    }
  });

  it("answers health to everybody, and no public service on the agents' port", async () => {
    const trust = { kind: "tls", ca: await pool.ca() } as const;
    const open = (server: string) => openTransport({ server, timeoutMs: 5000, trust }).transport;
    assert.equal((await createClient(Health, open(pool.server.addresses.grpc)).check({})).status, 1);
    await assert.rejects(
      createClient(PoolService, open(pool.server.addresses.agent)).getPool({}),
      (error) => error instanceof ConnectError && error.code === Code.Unimplemented,
    );
  });

  describe("pinned by its CA's fingerprint", () => {
    const pin = async (port: "grpc" | "agent" | "http", fingerprint: string): Promise<string> =>
      await fetchPinnedCa({
        ...portOf(pool.server.addresses[port]),
        fingerprint: required(parseFingerprint(fingerprint), "fingerprint"),
        clock: systemClock,
        timeoutMs: 5000,
      });

    it("shows the CA on every port", async () => {
      const fingerprint = fingerprintOf(new X509Certificate(await pool.ca()));
      for (const port of ["grpc", "agent", "http"] as const) {
        assert.equal(fingerprintOf(new X509Certificate(await pin(port, fingerprint))), fingerprint);
      }
    });

    it("is refused when it is another server", async () => {
      await assert.rejects(
        pin("grpc", "0".repeat(64)),
        (error) =>
          error instanceof PinFailed && error.kind === "mismatch" && /somebody is in between/.test(error.message),
      );
    });

    it("is refused by the pin of its own certificate, which is no CA", async () => {
      const leaf = await new Promise<X509Certificate>((resolve, reject) => {
        const socket = connectTls({ ...portOf(pool.server.addresses.grpc), rejectUnauthorized: false }, () => {
          resolve(required(socket.getPeerX509Certificate(), "certificate"));
          socket.destroy();
        }).on("error", reject);
      });
      await assert.rejects(pin("grpc", fingerprintOf(leaf)), (error) => error instanceof PinFailed);
    });
  });

  it("tells a client that speaks plain text to it what to do, and one that does not know its CA", async () => {
    const { grpc } = pool.server.addresses;
    const plain = await runAlone(["pool", "status", "--server", grpc]);
    assert.equal(plain.exitCode, 5);
    assert.match(plain.err, /speaks TLS.*Leave --insecure out, and pin its CA/);
    const stranger = await SecurePool.start();
    try {
      const file = join(stranger.dataDir, "tls", "ca.pem");
      const wrong = await runAlone(["pool", "status", "--server", grpc, "--ca-file", file]);
      assert.equal(wrong.exitCode, 4);
      assert.match(wrong.err, /could not prove who it is.*--ca-fingerprint/);
    } finally {
      await stranger.close();
    }
  });

  it("has the same CA after a restart", async () => {
    const before = await pool.ca();
    await pool.restart();
    assert.equal(await pool.ca(), before);
    const { certificateAuthority } = await (await pool.access()).getCertificateAuthority({});
    assert.equal(certificateAuthority?.current?.certificatePem, before);
    assert.equal(certificateAuthority?.previous, undefined);
  });
});
