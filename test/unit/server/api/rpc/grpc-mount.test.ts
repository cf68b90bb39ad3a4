import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { PoolService } from "../../../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { vmCreate } from "../../../../support/pool/specs.ts";
import { refusalOf, refused, ServedApi } from "../../../../support/server/served-api.ts";

describe("handlers on a gRPC server", () => {
  let api: ServedApi;
  let client: Client;
  beforeEach(async () => {
    api = await ServedApi.open({ callsMax: 3 });
    client = new Client(api.grpcAddress, credentials.createInsecure());
  });
  afterEach(async () => {
    client.close();
    await api.close();
  });

  const raw = (path: string, bytes: Buffer, deadline?: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const options = deadline === undefined ? {} : { deadline };
      client.makeUnaryRequest(
        path,
        (value: Buffer) => value,
        (value: Buffer) => value,
        bytes,
        new Metadata(),
        options,
        (error, value) => {
          if (error === null) resolve(value ?? Buffer.alloc(0));
          else reject(error);
        },
      );
    });
  const failure = (call: Promise<unknown>): Promise<ServiceError> =>
    call.then(
      () => assert.fail("the call succeeded"),
      (error: ServiceError) => error,
    );

  it("refuse what cannot be decoded as the caller's fault", async () => {
    for (const bytes of [
      Buffer.from([0xff, 0xff, 0xff]),
      Buffer.from([0x0a, 0x05, 0x61]),
      Buffer.from([0x0a, 0x01, 0xff]),
    ]) {
      const error = await failure(raw("/meridian.v1.VmService/GetVm", bytes));
      assert.equal(error.code, status.INVALID_ARGUMENT);
      assert.match(error.details, /GetVmRequest/);
      assert.match(String(error.metadata.get("grpc-status-details-bin")), /REQUEST_MALFORMED/);
    }
    const stream = client.makeServerStreamRequest(
      "/meridian.v1.VmService/WatchVms",
      (value: Buffer) => value,
      (value: Buffer) => value,
      Buffer.from([0xff]),
    );
    stream.resume();
    const error = await new Promise<ServiceError>((resolve) =>
      stream.once("error", (reason) => resolve(reason as ServiceError)),
    );
    assert.equal(error.code, status.INVALID_ARGUMENT);
  });

  it("refuse messages above the bound", async () => {
    const error = await failure(raw("/meridian.v1.VmService/GetVm", Buffer.alloc(1024 * 1024 + 1)));
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    assert.match(error.details, /larger than max/);
  });

  it("do not know other methods", async () => {
    assert.equal((await failure(raw("/meridian.v1.VmService/Nothing", Buffer.alloc(0)))).code, status.UNIMPLEMENTED);
  });

  it("answer a wait a moment before the caller's deadline, so that it tells more", async () => {
    await api.driver.submit(vmCreate("a"));
    // The wait runs on the test's clock, so that only its computed length is seen.
    const waiting = api.client(VmService).waitVm({ name: "vms/a" }, { timeoutMs: 5000 });
    waiting.catch(() => undefined);
    while (api.calls.count === 0) await api.driver.settle();
    await api.driver.settle();
    api.driver.clock.advance(5000);
    const refusal = await refused(waiting, "WAIT_TIMED_OUT");
    assert.equal(refusal.metadata["state"], "PENDING");
  });

  it("end when the caller's deadline passes", async () => {
    await api.driver.submit(vmCreate("a"));
    const error = await api
      .client(VmService)
      .waitVm({ name: "vms/a" }, { timeoutMs: 30 })
      .then(() => assert.fail("it came"), refusalOf);
    assert.equal(error.code, Code.DeadlineExceeded);
    while (api.calls.count > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(api.faults, []);
  });

  it("are not more at once than the bound", async () => {
    const leave = new AbortController();
    const streams = Array.from({ length: 3 }, () =>
      api.client(VmService).watchVms({}, { signal: leave.signal })[Symbol.asyncIterator](),
    );
    for (const stream of streams) await stream.next();
    const refusal = await refused(api.client(PoolService).getPool({}), "LIMIT_REACHED");
    assert.equal(refusal.code, Code.ResourceExhausted);
    leave.abort();
    while (api.calls.count > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await api.client(PoolService).getPool({});
  });

  it("are not run ahead of a reader that does not read", async () => {
    const annotations = Object.fromEntries(["a", "b", "c"].map((key) => [key, "x".repeat(4000)]));
    for (let index = 0; index < 300; index += 1) await api.driver.submit(vmCreate(`vm-${index}`, { annotations }));
    let read = 0;
    const { engine } = api.driver;
    const original = engine.read.bind(engine);
    engine.read = (look) => {
      read += 1;
      return original(look);
    };
    const stream = client.makeServerStreamRequest(
      "/meridian.v1.VmService/WatchVms",
      (value: Buffer) => value,
      (value: Buffer) => value,
      Buffer.alloc(0),
    );
    stream.on("error", () => undefined);
    // Nobody reads: the flow control of HTTP/2 holds the answer back after some tens of KiB.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(read, 2);
    assert.equal(api.calls.count, 1);
    let count = 0;
    await new Promise<void>((resolve) => {
      stream.on("data", () => {
        count += 1;
        if (count === 301) resolve();
      });
    });
    stream.cancel();
    while (api.calls.count > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  it("tell the caller of a bug only its id", async () => {
    api.driver.engine.read = () => {
      throw new TypeError("internal words");
    };
    const refusal = await refused(api.client(PoolService).getPool({}), "INTERNAL_ERROR");
    assert(!refusal.message.includes("internal words"));
    assert.equal(api.faults.length, 1);
  });
});
