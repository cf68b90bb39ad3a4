/** The agents of a pool, in processes of their own. */
import { type ChildProcess, fork } from "node:child_process";
import type { FleetOrder, FleetReport } from "./fleet-messages.ts";

export interface FleetOptions {
  /** Where agents dial, `host:port`. */
  readonly server: string;
  readonly hosts: number;
  /** The time between heartbeats. Default: as the server says. */
  readonly heartbeatPeriodMs?: number | undefined;
  /** Lets the hosts into a secure pool. Default: the server asks nobody. */
  readonly joinToken?: string | undefined;
}

/** As many agents as one process can keep up with. */
const agentsPerProcessMax = 5_000;

export class Fleet {
  private readonly children: readonly ChildProcess[];
  private readonly deletions = new Map<string, (atMs: number) => void>();
  private readonly connected: Promise<unknown>;
  private readonly failing = Promise.withResolvers<never>();
  /** Rejects when an agent breaks: nothing measured after that means anything. */
  readonly failed: Promise<never> = this.failing.promise;

  constructor({ server, hosts, heartbeatPeriodMs, joinToken }: FleetOptions) {
    const firsts = Array.from({ length: Math.ceil(hosts / agentsPerProcessMax) }, (_, at) => at * agentsPerProcessMax);
    this.failed.catch(() => undefined);
    this.children = firsts.map(() => fork(new URL("fleet-process.ts", import.meta.url)));
    const ready = this.children.map((child, at) => {
      const first = firsts[at] ?? 0;
      const order: FleetOrder = {
        kind: "connect",
        server,
        first,
        count: Math.min(agentsPerProcessMax, hosts - first),
        ...(heartbeatPeriodMs === undefined ? {} : { heartbeatPeriodMs }),
        ...(joinToken === undefined ? {} : { joinToken }),
      };
      return this.start(child, order);
    });
    this.connected = Promise.all(ready);
  }

  /** Resolves when all agents have been welcomed. */
  async untilConnected(): Promise<void> {
    await Promise.race([this.connected, this.failed]);
  }

  /** The moment when the VM's agent said that it is gone. Ask before it is deleted. */
  untilDeleted(vmUid: string): Promise<number> {
    return Promise.race([new Promise<number>((resolve) => this.deletions.set(vmUid, resolve)), this.failed]);
  }

  async close(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }),
    );
  }

  private start(child: ChildProcess, order: FleetOrder): Promise<void> {
    return new Promise((resolve) => {
      child.on("message", (report: FleetReport) => {
        if (report.kind === "connected") resolve();
        else if (report.kind === "failed") this.failing.reject(new Error(`an agent failed: ${report.message}`));
        else this.hearDeleted(report.vmUid, report.atMs);
      });
      child.once("exit", (code) => this.failing.reject(new Error(`the agents' process ended with ${code}`)));
      child.send(order);
    });
  }

  private hearDeleted(vmUid: string, atMs: number): void {
    this.deletions.get(vmUid)?.(atMs);
    this.deletions.delete(vmUid);
  }
}
