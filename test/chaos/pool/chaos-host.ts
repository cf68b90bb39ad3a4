/** One host of the pool under failures: a simulated Mac behind HTTP, a real agent process, and the link between it and the server. */
import { join } from "node:path";
import { goldenLinux } from "../../../cli/lab/lab-images.ts";
import type { Delays } from "../../../simulator/delays.ts";
import { type RunningMac, startSimulatedMac } from "../../../simulator/simulated-mac.ts";
import { spawnAgent, startAgentProcess } from "../../support/e2e/agent-process.ts";
import type { MeridianProcess } from "../../support/e2e/meridian-process.ts";
import { TcpProxy } from "../../support/e2e/tcp-proxy.ts";

export interface ChaosHostOptions {
  /** From 0. */
  readonly index: number;
  /** The server's address for agents. */
  readonly server: string;
  /** Where the agent's folder is made. */
  readonly scratch: string;
}

/** Long enough for a fault to meet a VM in each phase of its life. */
const delays: Partial<Delays> = {
  clone: [100, 800],
  configure: [10, 80],
  start: [100, 600],
  boot: [200, 1_500],
  stop: [100, 800],
  delete: [50, 400],
};

export class ChaosHost {
  readonly hostId: string;
  readonly service: RunningMac;
  readonly link: TcpProxy;
  private readonly dataDir: string;
  private agent: MeridianProcess;

  /** Resolves when the server has welcomed the host. */
  static async open({ index, server, scratch }: ChaosHostOptions): Promise<ChaosHost> {
    const service = await startSimulatedMac({ index, vms: [goldenLinux], instant: true, delays, seed: index + 1 });
    const link = await TcpProxy.open(server);
    const hostId = `mac-${index + 1}`;
    const dataDir = join(scratch, hostId);
    try {
      const agent = await startAgentProcess({ mac: service, dataDir, server: link.address, hostId });
      return new ChaosHost({ hostId, service, link, dataDir, agent });
    } catch (error) {
      await Promise.all([link.close(), service.close()]);
      throw error;
    }
  }

  private constructor(parts: {
    readonly hostId: string;
    readonly service: RunningMac;
    readonly link: TcpProxy;
    readonly dataDir: string;
    readonly agent: MeridianProcess;
  }) {
    this.hostId = parts.hostId;
    this.service = parts.service;
    this.link = parts.link;
    this.dataDir = parts.dataDir;
    this.agent = parts.agent;
  }

  get mac(): RunningMac["mac"] {
    return this.service.mac;
  }

  /** What the agent said before it ended, if it ended by itself; agents are only ever ended from outside. */
  get lastWords(): string | undefined {
    return this.agent.isRunning ? undefined : this.agent.stderr.split("\n").slice(-5).join("\n");
  }

  async killAgent(): Promise<void> {
    await this.agent.stop("SIGKILL");
  }

  /** Starts it anew; it dials by itself. */
  startAgent(): void {
    const { service: mac, dataDir, link, hostId } = this;
    this.agent = spawnAgent({ mac, dataDir, server: link.address, hostId });
  }

  /** SIGSTOP: nothing moves in it until it is thawed, and its sockets stay open. */
  freezeAgent(): void {
    this.agent.child.kill("SIGSTOP");
  }

  thawAgent(): void {
    this.agent.child.kill("SIGCONT");
  }

  async close(): Promise<void> {
    await this.killAgent();
    await Promise.all([this.link.close(), this.service.close()]);
  }
}
