/** A secure server process with scripted agents, each on its own certificate, and programs with tokens of their own. */
import { HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { PoolClient } from "../load/pool-client.ts";
import { ScriptedAgent } from "../load/scripted-agent.ts";
import { goldenVms } from "../load/scripted-mac.ts";
import { enrolHost, SecureAccess } from "../load/secure-access.ts";
import { pause } from "../moment.ts";
import { type ServerAddresses, ServerProcess } from "../server-process.ts";

export class SecurePoolUnderLoad {
  readonly server: ServerProcess;
  readonly addresses: ServerAddresses;
  readonly access: SecureAccess;
  private readonly closers: (() => void)[] = [];

  static async open(directory: string): Promise<SecurePoolUnderLoad> {
    const server = new ServerProcess({ directory, isSecure: true });
    return new SecurePoolUnderLoad(server, await server.serving());
  }

  private constructor(server: ServerProcess, addresses: ServerAddresses) {
    this.server = server;
    this.addresses = addresses;
    this.access = new SecureAccess(server, addresses.grpc);
  }

  async close(): Promise<void> {
    for (const close of this.closers) close();
    this.access.close();
    await this.server.stop();
  }

  client(token: string): PoolClient {
    const client = new PoolClient(this.addresses.grpc, this.access.caller(token));
    this.closers.push(() => client.close());
    return client;
  }

  /** A host that does every command at once; resolves when it can take VMs. */
  async addHost(host: string, onAcknowledged: (sequence: number) => void): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent({
      host,
      server: this.addresses.agent,
      credentials: await enrolHost(await this.access.makeJoinToken(), host),
      onOpen: () => undefined,
      onDeleted: () => undefined,
      onAcknowledged,
    });
    agent.connect();
    const hosts = this.access.admin(HostService);
    while ((await hosts.getHost({ name: `hosts/${host}` })).host?.status?.placeable !== true) await pause(20);
    return agent;
  }

  async makeTemplate(templateId: string): Promise<void> {
    await this.access.admin(TemplateService).createTemplate({
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
}
