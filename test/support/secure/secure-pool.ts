/** A real server with TLS on real ports, in a data directory of its own, and what clients and agents need to reach it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { type Agent, startAgent } from "../../../agent/agent.ts";
import { enrol } from "../../../agent/identity/enrol.ts";
import { createVolatileIdentityStore, type Identity, type IdentityStore } from "../../../agent/identity/identity.ts";
import { defaultLinkTuning } from "../../../agent/link/link.ts";
import { openTransport } from "../../../cli/connection.ts";
import { type RunningServer, type ServerOptions, startServer } from "../../../server/server.ts";
import { type Clock, systemClock } from "../../../shared/clock.ts";
import { AccessService, type CreateJoinTokenResponse } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import type { Host } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import { HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { randomIds } from "../../../shared/ids.ts";
import { type Logger, silentLogger } from "../../../shared/log.ts";
import { type JoinTokenContent, parseJoinToken } from "../../../shared/tls/join-token.ts";
import { createInMemoryApi } from "../../../simulator/in-memory-api.ts";
import { SimulatedMac } from "../../../simulator/mac.ts";

const loopback = { host: "127.0.0.1", port: 0 };

export interface Enrolled {
  readonly identity: Identity;
  readonly store: IdentityStore;
}

export class SecurePool {
  readonly dataDir: string;
  server: RunningServer;
  private readonly fields: Partial<ServerOptions>;
  private readonly closers: (() => Promise<void> | void)[] = [];

  static async start(fields: Partial<ServerOptions> = {}): Promise<SecurePool> {
    const dataDir = await mkdtemp(join(tmpdir(), "meridian-secure-"));
    return new SecurePool(dataDir, await SecurePool.serve(dataDir, fields), fields);
  }

  private constructor(dataDir: string, server: RunningServer, fields: Partial<ServerOptions>) {
    this.dataDir = dataDir;
    this.server = server;
    this.fields = fields;
  }

  private static serve(dataDir: string, fields: Partial<ServerOptions>): Promise<RunningServer> {
    return startServer({
      dataDir,
      listen: loopback,
      agentListen: loopback,
      httpListen: loopback,
      insecure: false,
      clock: systemClock,
      ids: randomIds,
      log: silentLogger,
      version: "1.2.3",
      ...fields,
    });
  }

  async restart(): Promise<void> {
    const [host = "", port] = this.server.addresses.agent.split(":");
    await this.server.close();
    this.server = await SecurePool.serve(this.dataDir, { ...this.fields, agentListen: { host, port: Number(port) } });
  }

  async close(): Promise<void> {
    for (const closer of this.closers.splice(0).reverse()) await closer();
    await this.server.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  ca(): Promise<string> {
    return readFile(join(this.dataDir, "tls", "ca.pem"), "utf8");
  }

  async token(): Promise<string> {
    return (await readFile(join(this.dataDir, "admin-token"), "utf8")).trim();
  }

  async transport() {
    const { grpc: server } = this.server.addresses;
    const trust = { kind: "tls", ca: await this.ca() } as const;
    const { transport, close } = openTransport({ server, token: await this.token(), timeoutMs: 10_000, trust });
    this.closers.push(close);
    return transport;
  }

  async access(): Promise<Client<typeof AccessService>> {
    return createClient(AccessService, await this.transport());
  }

  async hosts(): Promise<Client<typeof HostService>> {
    return createClient(HostService, await this.transport());
  }

  async host(id: string): Promise<Host | undefined> {
    return (await (await this.hosts()).getHost({ name: `hosts/${id}` })).host;
  }

  async makeToken(
    spec: { readonly maxUses?: number; readonly hostPattern?: string; readonly labels?: Record<string, string> } = {},
  ): Promise<{ readonly token: JoinTokenContent; readonly answer: CreateJoinTokenResponse }> {
    const answer = await (await this.access()).createJoinToken({ joinToken: { spec } });
    const token = parseJoinToken(answer.token);
    if ("problem" in token) throw new Error(token.problem);
    return { token, answer };
  }

  async enrol(hostId: string, given?: JoinTokenContent, store = createVolatileIdentityStore()): Promise<Enrolled> {
    const token = given ?? (await this.makeToken()).token;
    const { signal } = new AbortController();
    const identity = await enrol({
      token,
      hostId,
      store,
      clock: systemClock,
      random: () => 0,
      log: silentLogger,
      signal,
    });
    return { identity, store };
  }

  /** An agent on a simulated Mac; closed with the pool. */
  startAgent(
    { identity, store }: Enrolled,
    { hostId = identity.hostId, log = silentLogger, clock }: { hostId?: string; log?: Logger; clock?: Clock } = {},
  ): Agent {
    const vms = [
      { name: "golden", os: "ubuntu" },
      { name: "by-hand", os: "ubuntu" },
    ];
    const mac = new SimulatedMac({ name: hostId, instant: true, vms }, systemClock);
    const agent = startAgent({
      servers: [this.server.addresses.agent],
      hostId,
      parallels: createInMemoryApi(mac),
      identity: { identity, store },
      log,
      agentVersion: "1.2.3",
      random: () => 0,
      bootId: `${hostId}-boot`,
      ...(clock !== undefined && { clock }),
      tuning: { link: { ...defaultLinkTuning, backoff: { baseMs: 10, capMs: 50 } } },
    });
    this.closers.push(async () => {
      await agent.close();
      await mac.close();
    });
    return agent;
  }
}
