/**
 * Kill rounds: a server under load from many clients is killed with SIGKILL at a random moment and started again on the same
 * ports, round after round. After each start, before anybody asks for anything new, the server is held against the account of
 * what was acknowledged, and the Macs themselves are asked whether a VM was made twice. In the end everything settles, and
 * the Macs have exactly the VMs that the account has.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatedHost } from "../../../cli/lab/simulated-host.ts";
import { createRandom, deriveSeed, type Random } from "../../../simulator/random.ts";
import { Account } from "../../support/e2e/account.ts";
import { startLabHosts } from "../../support/e2e/lab-hosts.ts";
import { MacWatch } from "../../support/e2e/mac-watch.ts";
import { type ServerProcess, startServerProcess } from "../../support/e2e/meridian-process.ts";
import { notDeleted, PoolClient } from "../../support/e2e/pool-client.ts";
import { until } from "../../support/e2e/until.ts";
import { LoadClient } from "../load-client.ts";
import { pause } from "../pause.ts";
import { isSettled, macComplaints } from "../settled.ts";
import { runLoad } from "./load.ts";

export interface KillRoundsOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly hosts: number;
  /** The same seed gives the same moments, as far as real processes can repeat anything. */
  readonly seed: number;
  /** No round begins after so many ms. Default: no bound. */
  readonly durationMs?: number;
  /** Told after each round. */
  readonly onRound?: (rounds: number, restartMs: number) => void;
}

export interface KillRoundsReport {
  readonly rounds: number;
  /** Creates, wishes and deletes that were acknowledged. */
  readonly acknowledged: number;
  /** VMs that were made on the Macs. */
  readonly made: number;
  /** From the start of each new process until it serves. */
  readonly restartsMs: readonly number[];
}

/** How long the load may go on before a kill, in ms. */
const loadMs = { least: 20, most: 700 } as const;
/** How long all may take to settle when nothing more is asked and nothing killed. */
const settleMaxMs = 120_000;

/** Rejects with what was lost or doubled, and the round in which that was found. */
export async function runKillRounds(options: KillRoundsOptions): Promise<KillRoundsReport> {
  const run = await KillRun.open(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class KillRun {
  private readonly options: KillRoundsOptions;
  private readonly scratch: string;
  private server: ServerProcess;
  private readonly hosts: readonly SimulatedHost[];
  private readonly watch: MacWatch;
  private readonly account = new Account();
  private readonly random: Random;
  private readonly auditor: PoolClient;
  private readonly clients: readonly PoolClient[];
  /** Open while there is a server that may be asked. */
  private gate = Promise.withResolvers<void>();

  static async open(options: KillRoundsOptions): Promise<KillRun> {
    const scratch = await mkdtemp(join(tmpdir(), "meridian-kill-"));
    const server = await startServerProcess(join(scratch, "data"));
    const hosts = await startLabHosts({
      agentAddresses: Array.from({ length: options.hosts }, () => server.addresses.agent),
      inMemory: true,
    });
    return new KillRun(options, { scratch, server, hosts });
  }

  private constructor(
    options: KillRoundsOptions,
    parts: { readonly scratch: string; readonly server: ServerProcess; readonly hosts: readonly SimulatedHost[] },
  ) {
    this.options = options;
    this.scratch = parts.scratch;
    this.server = parts.server;
    this.hosts = parts.hosts;
    this.watch = new MacWatch(parts.hosts);
    this.random = createRandom(options.seed);
    const { grpc } = parts.server.addresses;
    this.auditor = new PoolClient(grpc);
    this.clients = Array.from({ length: options.clients }, () => new PoolClient(grpc));
  }

  async run(): Promise<KillRoundsReport> {
    await this.auditor.createLinuxTemplate();
    await until("all hosts are placeable", async () => {
      return (await this.auditor.countPlaceableHosts()) === this.options.hosts;
    });
    const ending = new AbortController();
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => undefined);
    const load = this.clients.map((client, index) => {
      const random = createRandom(deriveSeed(this.options.seed, index));
      const { account } = this;
      const loadClient = new LoadClient({ client, account, random, whenServing: () => this.gate.promise });
      return runLoad(loadClient, `c${index}`, ending.signal);
    });
    for (const client of load) client.catch((error: unknown) => failure.reject(error));
    const restartsMs: number[] = [];
    const endMs = performance.now() + (this.options.durationMs ?? Number.POSITIVE_INFINITY);
    try {
      this.gate.resolve();
      while (restartsMs.length < this.options.rounds && performance.now() < endMs) {
        await Promise.race([pause(this.random.between(loadMs.least, loadMs.most)), failure.promise]);
        restartsMs.push(await this.killAndRestart());
        await this.audit(restartsMs.length);
        this.gate.resolve();
        this.options.onRound?.(restartsMs.length, restartsMs.at(-1) ?? 0);
      }
    } finally {
      ending.abort();
      this.gate.resolve();
      await Promise.allSettled(load);
    }
    await Promise.all(load);
    await this.settle();
    const { acknowledgedCount: acknowledged } = this.account;
    return { rounds: restartsMs.length, acknowledged, made: this.watch.madeCount, restartsMs };
  }

  async close(): Promise<void> {
    for (const client of [...this.clients, this.auditor]) client.close();
    this.watch.close();
    await Promise.all(this.hosts.map((host) => host.close()));
    await this.server.process.stop();
    await rm(this.scratch, { recursive: true, force: true });
  }

  private async killAndRestart(): Promise<number> {
    await this.server.process.stop("SIGKILL");
    this.gate = Promise.withResolvers();
    const startMs = performance.now();
    this.server = await startServerProcess(join(this.scratch, "data"), this.server.addresses);
    return performance.now() - startMs;
  }

  private async audit(round: number): Promise<void> {
    const complaints = [
      ...this.account.audit(await this.auditor.listVms(notDeleted)),
      ...this.watch.doubled.map((uid) => `the VM ${uid} was made twice`),
    ];
    if (complaints.length > 0) throw new Error(`round ${round}: ${complaints.join("; ")}`);
  }

  /** Nothing more is asked: every VM becomes what is wanted of it, and the Macs have these VMs and no other. */
  private async settle(): Promise<void> {
    await until("all has settled", async () => (await this.auditor.listVms(notDeleted)).every(isSettled), settleMaxMs);
    await this.audit(this.options.rounds);
    const complaints = macComplaints(this.watch, this.account);
    if (complaints.length > 0) throw new Error(complaints.join("; "));
  }
}
