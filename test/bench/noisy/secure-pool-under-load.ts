/** A secure server process with scripted agents, each on its own certificate, and two programs with tokens of their own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { enrol } from "../../../agent/identity/enrol.ts";
import { createVolatileIdentityStore } from "../../../agent/identity/identity.ts";
import { TlsCredentials } from "../../../agent/link/tls-credentials.ts";
import { openTransport } from "../../../cli/connection.ts";
import { systemClock } from "../../../shared/clock.ts";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { silentLogger } from "../../../shared/log.ts";
import { parseJoinToken } from "../../../shared/tls/join-token.ts";
import { PoolClient } from "../load/pool-client.ts";
import { ScriptedAgent } from "../load/scripted-agent.ts";
import { goldenVms } from "../load/scripted-mac.ts";
import { pause } from "../moment.ts";
import { type ServerAddresses, ServerProcess } from "../server-process.ts";

export class SecurePoolUnderLoad {
  readonly server: ServerProcess;
  readonly addresses: ServerAddresses;
  readonly ca: string;
  private readonly token: string;
  private readonly closers: (() => void)[] = [];

  static async open(directory: string): Promise<SecurePoolUnderLoad> {
    const server = new ServerProcess({ directory, isSecure: true });
    return new SecurePoolUnderLoad(server, await server.serving());
  }

  private constructor(server: ServerProcess, addresses: ServerAddresses) {
    this.server = server;
    this.addresses = addresses;
    this.ca = readFileSync(join(server.dataDir, "tls", "ca.pem"), "utf8");
    this.token = readFileSync(join(server.dataDir, "admin-token"), "utf8").trim();
  }

  async close(): Promise<void> {
    for (const close of this.closers) close();
    await this.server.stop();
  }

  /** A token of a new service account that may ask for VMs. */
  async makeAccount(serviceAccountId: string): Promise<string> {
    const access = this.admin(AccessService);
    const spec = { bindings: [{ role: Role.USER }] };
    await access.createServiceAccount({ serviceAccountId, serviceAccount: { spec } });
    const serviceAccount = `serviceAccounts/${serviceAccountId}`;
    return (await access.createToken({ token: { spec: { serviceAccount } } })).secret;
  }

  client(token: string): PoolClient {
    const client = new PoolClient(this.addresses.grpc, {
      credentials: new TlsCredentials({ ca: [this.ca] }),
      token,
    });
    this.closers.push(() => client.close());
    return client;
  }

  /** Limits that nobody meets, or those of a pool in which none were set. */
  async setLimits(areMet: boolean): Promise<void> {
    const most = { callsPerIdentity: 1e6, callsPerAddress: 1e6 };
    await this.admin(PoolService).updateSettings({
      settings: { spec: areMet ? {} : { limits: most } },
      updateMask: { paths: ["spec.limits"] },
    });
  }

  /** A host that does every command at once; resolves when it can take VMs. */
  async addHost(host: string, onAcknowledged: (sequence: number) => void): Promise<ScriptedAgent> {
    const { token: text } = await this.admin(AccessService).createJoinToken({ joinToken: { spec: {} } });
    const token = parseJoinToken(text);
    if ("problem" in token) throw new Error(token.problem);
    const { signal } = new AbortController();
    const identity = await enrol({
      token,
      hostId: host,
      store: createVolatileIdentityStore(),
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      signal,
    });
    const { ca, certificate, key } = identity;
    const agent = new ScriptedAgent({
      host,
      server: this.addresses.agent,
      credentials: new TlsCredentials({ ca, shown: { certificate, key } }),
      onOpen: () => undefined,
      onDeleted: () => undefined,
      onAcknowledged,
    });
    agent.connect();
    const hosts = this.admin(HostService);
    while ((await hosts.getHost({ name: `hosts/${host}` })).host?.status?.placeable !== true) await pause(20);
    return agent;
  }

  async makeTemplate(templateId: string): Promise<void> {
    await this.admin(TemplateService).createTemplate({
      templateId,
      template: {
        spec: {
          source: { case: "hostVm", value: { vmName: goldenVms.linux } },
          guestOs: GuestOs.LINUX,
          architecture: Architecture.ARM64,
          resources: { cpuCount: 1, memoryMib: 1024, diskMib: 10_000 },
        },
      },
    });
  }

  private admin<S extends Parameters<typeof createClient>[0]>(service: S): Client<S> {
    const { transport, close } = openTransport({
      server: this.addresses.grpc,
      token: this.token,
      timeoutMs: 30_000,
      trust: { kind: "tls", ca: this.ca },
    });
    this.closers.push(close);
    return createClient(service, transport);
  }
}
