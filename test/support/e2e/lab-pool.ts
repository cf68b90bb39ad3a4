/** A pool in the large: a server process, simulated Macs whose agents reach it through proxies, a client, and an end to all. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatedHost } from "../../../cli/lab/simulated-host.ts";
import { VmStatus_State as State, type Vm, VmSpec_Wanted as Wanted } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { Delays } from "../../../simulator/delays.ts";
import { Account, type AccountedVm } from "./account.ts";
import { startLabHosts } from "./lab-hosts.ts";
import { MacWatch } from "./mac-watch.ts";
import { type ServerProcess, startServerProcess } from "./meridian-process.ts";
import { notDeleted, PoolClient } from "./pool-client.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { until } from "./until.ts";

export interface LabPoolOptions {
  readonly hosts: number;
  /** Leave HTTP out between agents and Macs. Default false. */
  readonly inMemory?: boolean;
  readonly delays?: Partial<Delays>;
}

export class LabPool {
  readonly scratch: string;
  server: ServerProcess;
  readonly proxies: readonly TcpProxy[];
  readonly hosts: readonly SimulatedHost[];
  readonly client: PoolClient;
  readonly account = new Account();
  readonly watch: MacWatch;

  /** Resolves when every host is placeable and there is a template. */
  static async open({ hosts: count, inMemory = false, delays }: LabPoolOptions): Promise<LabPool> {
    const scratch = await mkdtemp(join(tmpdir(), "meridian-lab-"));
    const server = await startServerProcess(join(scratch, "data"));
    const proxies = await Promise.all(Array.from({ length: count }, () => TcpProxy.open(server.addresses.agent)));
    const hosts = await startLabHosts({
      agentAddresses: proxies.map(({ address }) => address),
      inMemory,
      ...(delays === undefined ? {} : { delays }),
    });
    const pool = new LabPool({ scratch, server, proxies, hosts });
    await pool.client.createLinuxTemplate();
    await pool.untilPlaceable();
    return pool;
  }

  private constructor(parts: Pick<LabPool, "scratch" | "server" | "proxies" | "hosts">) {
    this.scratch = parts.scratch;
    this.server = parts.server;
    this.proxies = parts.proxies;
    this.hosts = parts.hosts;
    this.client = new PoolClient(parts.server.addresses.grpc);
    this.watch = new MacWatch(parts.hosts);
  }

  get dataDir(): string {
    return join(this.scratch, "data");
  }

  async untilPlaceable(): Promise<void> {
    await until("every host is placeable", async () => {
      return (await this.client.countPlaceableHosts()) === this.hosts.length;
    });
  }

  /** @param host the number of the host that it shall stand on. Default: any. */
  async createVm(id: string, host?: number): Promise<AccountedVm> {
    const vm = this.account.open(id);
    const placement = host === undefined ? {} : { placement: { host: `hosts/mac-${host + 1}` } };
    const spec = { template: "templates/linux", ...placement };
    const answer = await this.client.vms.createVm({ vmId: id, requestId: id, vm: { spec } });
    if (answer.vm !== undefined) vm.created(answer.vm);
    return vm;
  }

  async stopVm(vm: AccountedVm): Promise<void> {
    vm.asks(Wanted.STOPPED);
    await this.client.vms.stopVm({ name: `vms/${vm.id}` });
    vm.acknowledged(Wanted.STOPPED);
  }

  async deleteVm(vm: AccountedVm): Promise<void> {
    vm.isDeleteAsked = true;
    await this.client.vms.deleteVm({ name: `vms/${vm.id}`, force: true });
    vm.isDeleteAcknowledged = true;
  }

  async readVm(id: string): Promise<Vm | undefined> {
    return (await this.client.vms.getVm({ name: `vms/${id}` })).vm;
  }

  /** Waits until the VM is in one of the states. */
  async untilVm(id: string, ...states: readonly State[]): Promise<void> {
    await until(`${id} is in state ${states.join(" or ")}`, async () => {
      return states.includes((await this.readVm(id))?.status?.state ?? State.UNSPECIFIED);
    });
  }

  /** Starts the server anew on its ports. */
  async startServer(): Promise<void> {
    this.server = await startServerProcess(this.dataDir, this.server.addresses);
  }

  /**
   * Deletes all that is left, and returns what is wrong then: acknowledged changes that the server does not know, VMs that
   * were made twice, and VMs of the pool's that are still on a Mac.
   * @param options.mayDiscard copies of which an agent could not be sure, and that never ran, may have been removed and made again
   */
  async settle({ mayDiscard = false }: { readonly mayDiscard?: boolean } = {}): Promise<readonly string[]> {
    const complaints = [...this.account.audit(await this.client.listVms(notDeleted))];
    await Promise.all(this.account.living.map((vm) => this.deleteVm(vm)));
    await until("all VMs are gone", async () => (await this.client.listVms(notDeleted)).length === 0, 30_000);
    const doubled = mayDiscard ? [...this.watch.doubledAttempts, ...this.watch.standingTwice] : this.watch.doubled;
    complaints.push(...doubled.map((name) => `${name} was made twice`));
    return [...complaints, ...this.watch.uids().map((uid) => `${uid} is still on a Mac`)];
  }

  async close(): Promise<void> {
    this.client.close();
    this.watch.close();
    await Promise.all(this.hosts.map((host) => host.close()));
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await this.server.process.stop();
    await rm(this.scratch, { recursive: true, force: true });
  }
}
