/**
 * A pool in the large under failures: one server, many hosts with an agent process each, builds that ask for VMs at a steady
 * pace, and everything that can go wrong between them. In the end nothing goes wrong any more, all settles, and there is an
 * account: every create that was acknowledged is a VM that runs, was deleted as asked, or failed with a reason; no VM was
 * made twice; and the Macs have exactly the VMs that they should, and in the end none.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { inParallel } from "../../../cli/parallel.ts";
import { PlacementSettings_Strategy as Strategy } from "../../../shared/gen/es/meridian/v1/settings_pb.ts";
import { createRandom, deriveSeed } from "../../../simulator/random.ts";
import { Account } from "../../support/e2e/account.ts";
import { MacWatch } from "../../support/e2e/mac-watch.ts";
import { notDeleted, PoolClient } from "../../support/e2e/pool-client.ts";
import { until } from "../../support/e2e/until.ts";
import { LoadClient } from "../load-client.ts";
import { pause } from "../pause.ts";
import { isSettled, macComplaints } from "../settled.ts";
import { BuildCounts, runBuild } from "./builds.ts";
import { ChaosHost } from "./chaos-host.ts";
import { ChaosServer } from "./chaos-server.ts";
import { FaultLoop } from "./fault-loop.ts";

export interface PoolRunOptions {
  readonly hosts: number;
  /** How many VMs are asked for in all. */
  readonly vms: number;
  /** Over how long they are asked for, evenly, while things go wrong; it takes longer if the pool cannot keep up. */
  readonly durationMs: number;
  /** The same seed gives the same faults and builds, as far as real processes can repeat anything. */
  readonly seed: number;
  /** The mean pause between two faults of the server. */
  readonly serverPauseMs: number;
  /** The mean pause between two faults of one host. */
  readonly hostPauseMs: number;
  readonly losesHosts: boolean;
  /** How long all may take to settle when nothing goes wrong any more, and then the Macs to be empty. */
  readonly settleMaxMs: number;
  /** Told as it goes, every few seconds. */
  readonly onProgress?: (line: string) => void;
  /** Ends it early, with all that it started. */
  readonly signal?: AbortSignal;
}

export interface PoolRunReport {
  /** Creates, wishes and deletes that were acknowledged. */
  readonly acknowledged: number;
  readonly created: number;
  readonly ran: number;
  readonly givenUp: number;
  /** VMs that ran on to the end, each on exactly one Mac. */
  readonly kept: number;
  /** Why VMs failed, and how many. */
  readonly failures: Readonly<Record<string, number>>;
  /** VMs that were made on the Macs. */
  readonly made: number;
  /** Of these: made again in a later attempt, since the first failed or its host was lost. */
  readonly remade: number;
  /** Copies that were removed without ever having run, since an agent could not be sure of them, and made again. */
  readonly discarded: number;
  /** How often what went wrong. */
  readonly faults: Readonly<Record<string, number>>;
  readonly restartsMs: readonly number[];
  readonly settledAfterMs: number;
  /** What does not add up; nothing in a pool that can be trusted. */
  readonly complaints: readonly string[];
}

/** Processes that are started at once. */
const startsAtOnce = 4;
const progressMs = 5_000;
/** How many connections the builds share. */
const connections = 16;
/** The least that the settings allow: hosts shall be lost within a run. */
const lostAfterMs = 10_000;
const startGraceMs = 35_000;

export async function runPool(options: PoolRunOptions): Promise<PoolRunReport> {
  const run = await PoolRun.open(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

interface Parts {
  readonly scratch: string;
  readonly server: ChaosServer;
  readonly hosts: readonly ChaosHost[];
}

class PoolRun {
  private readonly options: PoolRunOptions;
  private readonly parts: Parts;
  private readonly watch: MacWatch;
  private readonly account = new Account();
  private readonly counts = new BuildCounts();
  private readonly auditor: PoolClient;
  private readonly clients: PoolClient[] = [];

  static async open(options: PoolRunOptions): Promise<PoolRun> {
    const scratch = await mkdtemp(join(tmpdir(), "meridian-pool-"));
    const closers = [() => rm(scratch, { recursive: true, force: true })];
    try {
      const server = await ChaosServer.open(join(scratch, "server"));
      closers.unshift(() => server.close());
      const indices = Array.from({ length: options.hosts }, (_, index) => index);
      const started = await inParallel(indices, startsAtOnce, async (index) => {
        options.signal?.throwIfAborted();
        return ChaosHost.open({ index, server: server.addresses.agent, scratch });
      });
      const hosts = started.flatMap((host) => (host.status === "fulfilled" ? [host.value] : []));
      closers.unshift(...hosts.map((host) => () => host.close()));
      for (const host of started) if (host.status === "rejected") throw host.reason;
      return new PoolRun(options, { scratch, server, hosts });
    } catch (error) {
      for (const close of closers) await close();
      throw error;
    }
  }

  private constructor(options: PoolRunOptions, parts: Parts) {
    this.options = options;
    this.parts = parts;
    this.watch = new MacWatch(parts.hosts);
    this.auditor = new PoolClient(parts.server.addresses.grpc);
  }

  async run(): Promise<PoolRunReport> {
    const { server, hosts } = this.parts;
    await this.prepare();
    this.say(`${hosts.length} hosts are in the pool`);
    const faults = new FaultLoop({ ...this.options, server, hosts });
    const progress = setInterval(() => this.sayProgress(faults), progressMs);
    try {
      await Promise.race([this.build(), faults.failed, this.interrupted()]);
    } finally {
      clearInterval(progress);
      await faults.end();
    }
    this.say("nothing goes wrong any more");
    const startMs = performance.now();
    const complaints = await this.settle();
    return {
      acknowledged: this.account.acknowledgedCount,
      created: this.counts.created,
      ran: this.counts.ran,
      givenUp: this.counts.givenUp,
      kept: this.counts.kept.length,
      failures: Object.fromEntries(this.counts.failures),
      made: this.watch.madeCount,
      remade: this.watch.remadeCount,
      discarded: this.watch.discardedCount,
      faults: Object.fromEntries([...faults.counts].sort(([a], [b]) => a.localeCompare(b))),
      restartsMs: server.restartsMs,
      settledAfterMs: performance.now() - startMs,
      complaints,
    };
  }

  async close(): Promise<void> {
    for (const client of [...this.clients, this.auditor]) client.close();
    this.watch.close();
    await Promise.all(this.parts.hosts.map((host) => host.close()));
    await this.parts.server.close();
    await rm(this.parts.scratch, { recursive: true, force: true });
  }

  private async prepare(): Promise<void> {
    await this.auditor.createLinuxTemplate();
    const hosts = { lostAfter: durationFromMs(lostAfterMs), startGrace: durationFromMs(startGraceMs) };
    // Spread, so that there are VMs on every host that something happens to.
    const placement = { strategy: Strategy.SPREAD };
    await this.auditor.pool.updateSettings({ settings: { spec: { hosts, placement } } });
    await until("all hosts are placeable", async () => {
      return (await this.auditor.countPlaceableHosts()) === this.options.hosts;
    });
  }

  /** Asks for all VMs, each at its time, and resolves when all builds are over. */
  private async build(): Promise<void> {
    const { vms, durationMs, seed } = this.options;
    const { server } = this.parts;
    const startMs = performance.now();
    await Promise.all(
      Array.from({ length: vms }, async (_, index) => {
        await pause((durationMs * index) / vms, this.options.signal);
        this.options.signal?.throwIfAborted();
        const client = this.clientFor(index);
        const random = createRandom(deriveSeed(seed, vms + index));
        const load = new LoadClient({ client, account: this.account, random, whenServing: () => server.whenServing() });
        await runBuild(`build-${index + 1}`, { client, load, counts: this.counts });
      }),
    );
    this.say(`all builds are over after ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
  }

  /** Builds share connections, as the jobs of one build system do. */
  private clientFor(index: number): PoolClient {
    const slot = index % connections;
    return (this.clients[slot] ??= new PoolClient(this.parts.server.addresses.grpc));
  }

  private interrupted(): Promise<never> {
    const { signal } = this.options;
    return new Promise((_, reject) => {
      const interrupt = (): void => reject(new Error("interrupted"));
      if (signal?.aborted === true) interrupt();
      signal?.addEventListener("abort", interrupt);
    });
  }

  private sayProgress(faults: FaultLoop): void {
    const { created, ran, failures } = this.counts;
    const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
    this.say(
      `${created} of ${this.options.vms} VMs acknowledged, ${ran} came up, ${failed} failed, ` +
        `${this.watch.uids().length} on the Macs; ${faults.count} faults`,
    );
  }

  private say(line: string): void {
    this.options.onProgress?.(line);
  }

  /** Waits until all is as it should be, ends what is left, and returns what does not add up. */
  private async settle(): Promise<readonly string[]> {
    const { hosts, server } = this.parts;
    const { settleMaxMs } = this.options;
    const lastWords = [server, ...hosts].flatMap((part) => part.lastWords ?? []);
    const complaints = lastWords.map((words) => `a process ended by itself: ${words}`);
    const noteOverdue = (error: unknown): void => {
      complaints.push(String(error));
    };
    const isAllSettled = async (): Promise<boolean> =>
      (await this.auditor.listVms(notDeleted)).every(isSettled) && macComplaints(this.watch, this.account).length === 0;
    await until("all has settled", isAllSettled, settleMaxMs).catch(noteOverdue);
    complaints.push(
      ...this.account.audit(await this.auditor.listVms(notDeleted)),
      ...macComplaints(this.watch, this.account),
      ...this.watch.doubledAttempts.map(
        (name) => `${name} was made again beside one that was there, or after one that had run`,
      ),
    );
    await Promise.all(this.counts.kept.map((vm) => this.auditor.vms.deleteVm({ name: `vms/${vm.id}`, force: true })));
    await until("the Macs are empty", () => this.watch.uids().length === 0, settleMaxMs).catch(noteOverdue);
    return complaints;
  }
}
