import assert from "node:assert/strict";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { ServedApi } from "../../../support/server/served-api.ts";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

describe("the HTTP port", () => {
  let api: ServedApi;
  before(async () => {
    api = await ServedApi.open();
  });
  after(() => api.close());

  const send = (
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const [host, port] = api.httpAddress.split(":");
      const call = request(
        { host, port, path, method: options.method ?? "GET", headers: options.headers ?? {} },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      call.on("error", reject);
      call.end(options.body);
    });
  const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> =>
    send(path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  const getPool = "/meridian.v1.PoolService/GetPool";

  it("answers JSON", async () => {
    const { status, text } = await post(getPool, "{}");
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).pool.version, "1.2.3");
  });

  it("says what it is, that it lives, and whether it serves", async () => {
    assert.match((await send("/")).text, /^Meridian 1\.2\.3: /);
    assert.equal((await send("/healthz")).status, 200);
    assert.equal((await send("/readyz")).status, 200);
    api.isReady = false;
    assert.equal((await send("/readyz")).status, 503);
    assert.equal((await send("/healthz")).status, 200);
    api.isReady = true;
  });

  it("has nothing elsewhere", async () => {
    assert.equal((await send("/favicon.ico")).status, 404);
    const { status, text } = await post("/meridian.v1.VmService/Nothing", "{}");
    assert.equal(status, 404);
    assert.equal(JSON.parse(text).code, "unimplemented");
    assert.equal(infoOf(text).reason, "METHOD_UNKNOWN");
    assert.equal((await post("/meridian.v1.NoService/GetVm", "{}")).status, 404);
    assert.equal((await send(getPool, { method: "PUT" })).status, 405);
    assert.equal((await post(getPool, "{}", { "content-type": "text/plain" })).status, 415);
  });

  it("says of a method that needs two-way streams that it does", async () => {
    const { status } = await post("/meridian.v1.VmService/ExecVm", "{}", {
      "content-type": "application/connect+json",
    });
    assert.equal(status, 505);
  });

  it("refuses JSON that is none, and fields of the wrong kind", async () => {
    for (const body of ["", "{", "[]", "null", '{"name": 7}', '{"name": {"a": 1}}', "\u0000\u0001"]) {
      const { status, text } = await post("/meridian.v1.VmService/GetVm", body);
      assert.equal(status, 400, body);
      assert.equal(JSON.parse(text).code, "invalid_argument");
      assert.equal(infoOf(text).reason, "REQUEST_MALFORMED");
    }
  });

  it("refuses fields that do not exist, and names them", async () => {
    for (const [field, body] of [
      ["nonsense", { vm: {}, nonsense: 1 }],
      ["cpus", { vm: { spec: { template: "templates/t", resources: { cpus: 4 } } } }],
    ] as const) {
      const { status, text } = await post("/meridian.v1.VmService/CreateVm", JSON.stringify(body));
      assert.equal(status, 400);
      assert.match(JSON.parse(text).message, new RegExp(`"${field}" is unknown`));
      const { reason, metadata } = infoOf(text);
      assert.equal(reason, "REQUEST_MALFORMED");
      assert.equal(metadata["message"], "meridian.v1.CreateVmRequest");
    }
  });

  it("refuses what is malformed in streams and in gRPC-Web as well", async () => {
    const headers = { "content-type": "application/connect+json" };
    const { text } = await post("/meridian.v1.VmService/WatchVms", '\u0000\u0000\u0000\u0000\u0009{"xyz":1}', headers);
    // What comes at the end of a stream is one more message, after five bytes about it.
    const { error } = JSON.parse(text.slice(5));
    assert.equal(error.details[0].debug.reason, "REQUEST_MALFORMED");
    const bytes = "\u0000\u0000\u0000\u0000\u0002\u0008\u0000";
    const web = await post(getPool, `${bytes}x`, { "content-type": "application/grpc-web+proto" });
    assert.match(web.text + JSON.stringify(web.headers), /grpc-status-details-bin/);
  });

  it("calls bytes that cannot be decoded the caller's fault", async () => {
    const headers = { "content-type": "application/proto" };
    const { status, text } = await post("/meridian.v1.VmService/GetVm", "\u0001\u0002\u0003", headers);
    assert.equal(status, 400);
    assert.equal(infoOf(text).reason, "REQUEST_MALFORMED");
  });

  it("refuses bodies above the bound", async () => {
    const { status, text } = await post(
      "/meridian.v1.VmService/GetVm",
      JSON.stringify({ name: "x".repeat(1024 * 1024) }),
    );
    assert.equal(status, 429);
    assert.equal(JSON.parse(text).code, "resource_exhausted");
    assert.deepEqual(infoOf(text), {
      reason: "REQUEST_TOO_LARGE",
      domain: "meridian",
      metadata: { most: String(1024 * 1024) },
    });
  });

  for (const [what, headers] of Object.entries({
    "a name that somebody points at this machine": { host: "evil.example.com" },
    "no name that makes sense": { host: "a b" },
    "a page of another origin": { origin: "http://evil.example.com" },
    "a page of another port": { origin: "http://127.0.0.1:1" },
    "a page without an origin": { origin: "null" },
    "a browser that says cross-site": { "sec-fetch-site": "cross-site" },
    "a browser that says same-site": { "sec-fetch-site": "same-site" },
  })) {
    it(`refuses ${what}`, async () => {
      assert.equal((await post(getPool, "{}", headers)).status, 403);
      assert.equal((await send("/", { headers })).status, 403);
    });
  }

  it("serves its own pages and this machine's names, and opens no CORS", async () => {
    const own = { origin: `http://${api.httpAddress}`, "sec-fetch-site": "same-origin" };
    const { status, headers } = await post(getPool, "{}", own);
    assert.equal(status, 200);
    assert.equal(headers["access-control-allow-origin"], undefined);
    const port = api.httpAddress.split(":")[1];
    for (const host of [`localhost:${port}`, `[::1]:${port}`, "127.0.0.1"]) {
      assert.equal((await post(getPool, "{}", { host })).status, 200, host);
    }
    const preflight = await send(getPool, {
      method: "OPTIONS",
      headers: { origin: "http://evil.example.com", "access-control-request-method": "POST" },
    });
    assert.equal(preflight.status, 403);
  });

  it("survives garbage", async () => {
    for (const garbage of [
      "\u0000\u0001\u0002\u0003\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      `GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
    ]) {
      await sendBytes(api.httpAddress, garbage);
    }
    assert.equal((await send("/healthz")).status, 200);
  });
});

describe("the gRPC port", () => {
  it("survives garbage", async () => {
    const api = await ServedApi.open();
    try {
      const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
      for (const garbage of [
        "hello\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        preface,
        `${preface}${"\u00ff".repeat(500)}`,
      ]) {
        await sendBytes(api.grpcAddress, garbage);
      }
      const { PoolService } = await import("../../../../shared/gen/es/meridian/v1/pool_service_pb.ts");
      assert.equal((await api.client(PoolService).getPool({})).pool?.version, "1.2.3");
    } finally {
      await api.close();
    }
  });
});

/** The ErrorInfo of an error, which always comes first. */
function infoOf(text: string): { readonly reason: string; readonly metadata: Readonly<Record<string, string>> } {
  const [info] = JSON.parse(text).details;
  assert.equal(info.type, "google.rpc.ErrorInfo");
  return info.debug;
}

/** Sends bytes, and resolves when the other side has closed, or has answered. */
function sendBytes(address: string, bytes: string): Promise<void> {
  const [host = "", port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) }, () => socket.write(Buffer.from(bytes, "latin1")));
    socket.once("data", () => socket.destroy());
    socket.once("error", () => socket.destroy());
    socket.once("close", () => resolve());
    socket.setTimeout(1000, () => socket.destroy());
  });
}
