/** Everything that a scenario needs: a server, its agents, clients, a watch, and the two templates. */

import { required } from "../../../shared/assert.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { forEachConcurrently } from "../concurrently.ts";
import { pause } from "../moment.ts";
import { openFilesMax } from "../process-usage.ts";
import { type ServerAddresses, ServerProcess } from "../server-process.ts";
import { Fleet } from "./fleet.ts";
import { type Caller, PoolClient } from "./pool-client.ts";
import { goldenVms } from "./scripted-mac.ts";
import { SecureAccess } from "./secure-access.ts";
import { isGone, VmWatch } from "./vm-watch.ts";

export interface PoolUnderLoadOptions {
  /** Holds the server's data and log. */
  readonly directory: string;
  readonly hosts: number;
  /** Connections of clients. Default 1. */
  readonly clients?: number;
  /** The time between heartbeats. Default: as the server says. */
  readonly heartbeatPeriodMs?: number;
  readonly profileDir?: string | undefined;
  /** Whether agents and clients have to prove themselves, over TLS. Default: the server is insecure. */
  readonly isSecure?: boolean | undefined;
}

/** A VM as its maker knows it. */
export interface MadeVm {
  readonly name: string;
  readonly uid: string;
}

export type TemplateName = keyof typeof goldenVms;

/** Files that a process has open beside its agents' connections. */
const otherFiles = 256;

export class PoolUnderLoad {
  readonly fleet: Fleet;
  readonly addresses: ServerAddresses;
  private current: ServerProcess;
  private clients: readonly PoolClient[];
  private readonly options: PoolUnderLoadOptions;
  /** Who the clients are; absent: nobody asks. */
  private readonly caller: Caller | undefined;
  private currentWatch: VmWatch;
  private madeCount = 0;

  static async open(options: PoolUnderLoadOptions): Promise<PoolUnderLoad> {
    checkOpenFiles(options.hosts);
    const { directory, profileDir, hosts, heartbeatPeriodMs, isSecure } = options;
    const server = new ServerProcess({ directory, profileDir, isSecure });
    const addresses = await server.serving();
    const { caller, joinToken } = isSecure === true ? await admit(server, addresses, hosts) : {};
    const clients = Array.from({ length: options.clients ?? 1 }, () => new PoolClient(addresses.grpc, caller));
    const fleet = new Fleet({ server: addresses.agent, hosts, heartbeatPeriodMs, joinToken });
    const pool = new PoolUnderLoad(options, { server, addresses, clients, fleet, caller });
    try {
      await pool.prepare();
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  private constructor(
    options: PoolUnderLoadOptions,
    parts: {
      readonly server: ServerProcess;
      readonly addresses: ServerAddresses;
      readonly clients: readonly PoolClient[];
      readonly fleet: Fleet;
      readonly caller: Caller | undefined;
    },
  ) {
    this.options = options;
    this.current = parts.server;
    this.addresses = parts.addresses;
    this.clients = parts.clients;
    this.fleet = parts.fleet;
    this.caller = parts.caller;
    this.currentWatch = new VmWatch(this.client(0), 0n);
  }

  get server(): ServerProcess {
    return this.current;
  }

  get watch(): VmWatch {
    return this.currentWatch;
  }

  /** One of the clients' connections; numbers beyond them begin anew. */
  client(index: number): PoolClient {
    return required(this.clients[index % this.clients.length], "client");
  }

  /** A name that no VM of this pool has had. */
  newName(): string {
    this.madeCount += 1;
    return `vm-${this.madeCount}`;
  }

  async create(vmId: string, template: TemplateName, client = 0): Promise<MadeVm> {
    const { vm } = await this.client(client).call(VmService.method.createVm, {
      vmId,
      vm: { spec: { template: `templates/${template}` } },
    });
    const { name, uid } = required(vm, "VM");
    return { name, uid };
  }

  async delete(name: string, client = 0): Promise<void> {
    await this.client(client).call(VmService.method.deleteVm, { name });
  }

  /** Deletes the VMs, many at once, and resolves when they are gone. */
  async deleteAll(vms: readonly MadeVm[]): Promise<void> {
    const gone = vms.map(({ name }) => this.watch.until(name, isGone));
    await forEachConcurrently(vms, 64, ({ name }, worker) => this.delete(name, worker));
    await Promise.all(gone);
  }

  async readPool() {
    const { pool } = await this.client(0).call(PoolService.method.getPool, {});
    return required(pool, "pool");
  }

  /** Watches anew, from now on: what happened while nobody watched is not seen. */
  async watchFromNow(): Promise<void> {
    this.currentWatch.close();
    const { revision } = await this.readPool();
    this.currentWatch = new VmWatch(this.client(0), revision);
  }

  /** Ends the server as a power cut would. */
  async killServer(): Promise<void> {
    await this.current.kill();
  }

  /** Starts another server on the same data and ports; it may not serve yet. */
  startServer(): void {
    const { directory, profileDir, isSecure } = this.options;
    this.current = new ServerProcess({ directory, profileDir, isSecure, addresses: this.addresses });
  }

  /** Ends the clients, and with them the watch, and has new ones. */
  replaceClients(): void {
    for (const client of this.clients) client.close();
    this.clients = this.clients.map(() => new PoolClient(this.addresses.grpc, this.caller));
  }

  async close(): Promise<void> {
    this.watch.close();
    for (const client of this.clients) client.close();
    await this.fleet.close();
    await this.current.stop();
  }

  private async prepare(): Promise<void> {
    for (const template of ["macos", "linux"] as const) {
      await this.client(0).call(TemplateService.method.createTemplate, {
        templateId: template,
        template: { spec: templateSpecs[template] },
      });
    }
    await this.fleet.untilConnected();
    while (!(await this.hasAllHosts())) await pause(20);
  }

  private async hasAllHosts(): Promise<boolean> {
    this.current.checkRunning();
    const { totals } = await this.readPool();
    return totals[0]?.hostsPlaceable === this.options.hosts;
  }
}

/** A program that may do everything, without limits, and a token with which the hosts come in. */
async function admit(
  server: ServerProcess,
  { grpc }: ServerAddresses,
  hosts: number,
): Promise<{ readonly caller: Caller; readonly joinToken: string }> {
  const access = new SecureAccess(server, grpc);
  try {
    await access.setLimits(false);
    const token = await access.makeAccount("builds", Role.ADMIN);
    return { caller: access.caller(token), joinToken: await access.makeJoinToken(hosts) };
  } finally {
    access.close();
  }
}

const templateSpecs = {
  macos: {
    source: { case: "hostVm", value: { vmName: goldenVms.macos } },
    guestOs: GuestOs.MACOS,
    architecture: Architecture.ARM64,
    resources: { cpuCount: 4, memoryMib: 8192, diskMib: 50_000 },
  },
  linux: {
    source: { case: "hostVm", value: { vmName: goldenVms.linux } },
    guestOs: GuestOs.LINUX,
    architecture: Architecture.ARM64,
    resources: { cpuCount: 1, memoryMib: 1024, diskMib: 10_000 },
  },
} as const;

function checkOpenFiles(hosts: number): void {
  const most = openFilesMax();
  if (hosts + otherFiles <= most) return;
  throw new Error(`${hosts} agents need ${hosts + otherFiles} open files, and ${most} are allowed: see ulimit -n`);
}
