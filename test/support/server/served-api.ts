/**
 * The public API on real ports, in front of a real engine whose hosts and whose time a test plays. Clients speak gRPC,
 * Connect or JSON to it.
 */
import assert from "node:assert/strict";
import type { Server as HttpServer } from "node:http";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ServerCredentials } from "@grpc/grpc-js";
import { type Admission, everybody } from "../../../server/access/admission.ts";
import { FrontDoor } from "../../../server/api/access/front-door.ts";
import { Backups } from "../../../server/api/backups.ts";
import { createErrorReporter } from "../../../server/api/error-status.ts";
import { createGrpcApi, type GrpcApi } from "../../../server/api/grpc.ts";
import { createHttpServer } from "../../../server/api/http.ts";
import { ActiveCalls } from "../../../server/api/rpc/active-calls.ts";
import { createServices } from "../../../server/api/services/services.ts";
import { VmChanges } from "../../../server/api/vm-changes.ts";
import { listenHttp } from "../../../server/listening.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { ErrorReason } from "../../../shared/errors.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../../shared/gen/es/google/rpc/error_details_pb.ts";
import { asUid, randomIds } from "../../../shared/ids.ts";
import { type Logger, silentLogger } from "../../../shared/log.ts";
import { PoolDriver } from "../pool/pool-driver.ts";
import { testSecrets } from "../secrets/test-secrets.ts";
import { ScriptedCalls } from "./scripted-calls.ts";

export const fronts = ["grpc", "connect", "json", "grpc-web"] as const;
export type Front = (typeof fronts)[number];

/** The pool that the API serves. */
export const servedPoolUid = asUid("5e".repeat(16));

export interface ServedApiOptions {
  readonly callsMax?: number;
  readonly log?: Logger;
  /** Default: everybody is let in, as an admin. */
  readonly admission?: Admission;
}

export class ServedApi {
  readonly driver: PoolDriver;
  readonly hostCalls: ScriptedCalls;
  readonly calls: ActiveCalls;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly grpc: GrpcApi;
  isReady = true;
  /** Errors that were reported as our own faults. */
  readonly faults: unknown[] = [];
  readonly door: FrontDoor;
  private readonly http: HttpServer;
  private readonly transports: Readonly<Record<Front, Transport>>;

  static async open(options: ServedApiOptions = {}): Promise<ServedApi> {
    const driver = await PoolDriver.open();
    const calls = new ActiveCalls(options.callsMax);
    const hostCalls = new ScriptedCalls();
    const { engine, clock } = driver;
    const door = await FrontDoor.open({ engine, hostCalls, admission: options.admission ?? everybody, clock });
    const api = new ServedApi({ driver, calls, log: options.log ?? silentLogger, door, hostCalls });
    return await api.listen();
  }

  private constructor({
    driver,
    calls,
    log,
    door: admission,
    hostCalls: scripted,
  }: {
    readonly driver: PoolDriver;
    readonly calls: ActiveCalls;
    readonly log: Logger;
    readonly door: FrontDoor;
    readonly hostCalls: ScriptedCalls;
  }) {
    this.driver = driver;
    this.calls = calls;
    this.door = admission;
    this.hostCalls = scripted;
    const { clock } = driver;
    const { engine, hostCalls } = admission;
    const services = createServices({
      engine,
      hostCalls,
      vmChanges: new VmChanges(engine),
      secrets: testSecrets(engine),
      backups: new Backups({ store: driver.store, poolUid: servedPoolUid, clock }),
      clock,
      ids: randomIds,
      version: "1.2.3",
      startTimeMs: engine.nowMs(),
    }).map((binding) => admission.bind(binding));
    const errors = createErrorReporter(randomIds, log, (error) => this.faults.push(error));
    // Deadlines of callers are told by the machine's clock.
    this.grpc = createGrpcApi(services, { calls, errors, admission, clock: systemClock });
    this.http = createHttpServer(services, { calls, errors, admission, version: "1.2.3", isReady: () => this.isReady });
    this.grpcAddress = "";
    this.httpAddress = "";
    this.transports = {} as Record<Front, Transport>;
  }

  private async listen(): Promise<ServedApi> {
    const grpcPort = await new Promise<number>((resolve, reject) => {
      this.grpc.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    const { port } = await listenHttp(this.http, "http", { host: "127.0.0.1", port: 0 });
    this.grpc.health.setServing(true);
    const http = { baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" as const };
    return Object.assign(this, {
      grpcAddress: `127.0.0.1:${grpcPort}`,
      httpAddress: `127.0.0.1:${port}`,
      transports: {
        grpc: createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpcPort}` }),
        connect: createConnectTransport({ ...http, useBinaryFormat: true }),
        json: createConnectTransport({ ...http, useBinaryFormat: false }),
        "grpc-web": createGrpcWebTransport(http),
      },
    });
  }

  client<S extends DescService>(service: S, front: Front = "grpc"): Client<S> {
    return createClient(service, this.transports[front]);
  }

  async close(): Promise<void> {
    const calls = this.calls.close();
    this.grpc.server.forceShutdown();
    this.http.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.http.close(() => resolve());
    });
    await calls;
    await this.door.close();
    await this.driver.close();
  }
}

export interface Refusal {
  readonly code: Code;
  readonly message: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields that are wrong. */
  readonly fields: readonly string[];
}

/** Asserts that the call is refused for the reason, and returns what the caller was told. */
export async function refused(call: Promise<unknown>, reason: ErrorReason): Promise<Refusal> {
  const error: unknown = await call.then(
    () => assert.fail(`expected ${reason}, and the call succeeded`),
    (rejection: unknown) => rejection,
  );
  const refusal = refusalOf(error);
  assert.equal(refusal.reason, reason, refusal.message);
  return refusal;
}

export function refusalOf(error: unknown): Refusal {
  assert(error instanceof ConnectError, String(error));
  const info = error.findDetails(ErrorInfoSchema)[0];
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return {
    code: error.code,
    message: error.rawMessage,
    reason: info?.reason ?? Code[error.code],
    metadata: info?.metadata ?? {},
    fields: violations.map((violation) => violation.field),
  };
}

/** Reads the first `count` messages of a stream, and leaves it. */
export async function take<T>(stream: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const message of stream) {
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}
