/**
 * Replays demand against the real engine with its planners and placement, on simulated time: hosts do what they are told
 * after the times that real ones need, and build systems delete a VM when its build is done.
 */
import { setImmediate } from "node:timers/promises";
import { Engine } from "../../../server/engine/engine.ts";
import type { DurableBatch } from "../../../server/pool/changes.ts";
import type { HostVm } from "../../../server/pool/host.ts";
import { OrderedHeap } from "../../../server/pool/ordered-heap.ts";
import { Pool } from "../../../server/pool/pool.ts";
import type { CommandKind, VmCommand, VmRecord } from "../../../server/pool/vm.ts";
import { MemoryStore } from "../../../server/storage/memory-store.ts";
import { assert, required } from "../../../shared/assert.ts";
import { asHostId, asVmId, hostVmName } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { createRandom } from "../../../simulator/random.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { goldenVm, hostConnected, hostFacts, hostVm, wholeInventory } from "../../support/pool/hosts.ts";
import { templateCreate, vmCreate, vmWant } from "../../support/pool/specs.ts";
import type { Job } from "./demand.ts";

/** What became of one job. */
export interface Outcome {
  readonly job: Job;
  /** From asked for to placed. */
  readonly waitMs: number;
  readonly placedMs: number;
  /** When its place was free again. */
  readonly freedMs: number;
  readonly host: string;
}

export interface ReplayOptions {
  readonly macs: number;
  readonly seed: number;
}

interface Happening {
  readonly key: string;
  readonly atMs: number;
  readonly run: () => Promise<unknown>;
}

/** What a Mac takes for each command, in ms, from and to. */
const durationsMs: Readonly<Record<CommandKind, readonly [number, number]>> = {
  create: [8_000, 25_000],
  start: [20_000, 45_000],
  stop: [2_000, 10_000],
  delete: [2_000, 8_000],
  suspend: [5_000, 20_000],
  resume: [3_000, 10_000],
  pause: [500, 1_000],
  restart: [20_000, 45_000],
  reset: [20_000, 45_000],
};

export async function replayWeek(jobs: readonly Job[], options: ReplayOptions): Promise<readonly Outcome[]> {
  const replay = await Replay.open(options);
  return await replay.run(jobs);
}

class Replay {
  private readonly engine: Engine;
  private readonly clock: FakeClock;
  private readonly random: ReturnType<typeof createRandom>;
  private readonly agenda = new OrderedHeap<Happening>(
    (a, b) => (a.atMs === b.atMs ? a.key < b.key : a.atMs < b.atMs),
    ({ key }) => key,
  );
  private readonly epochs = new Map<string, number>();
  private readonly jobs = new Map<string, Job>();
  private readonly placed = new Map<string, { readonly atMs: number; readonly host: string }>();
  private readonly outcomes: Outcome[] = [];
  private readonly startMs: number;

  static async open({ macs, seed }: ReplayOptions): Promise<Replay> {
    const clock = new FakeClock();
    const engine = await Engine.open({ store: new MemoryStore(), clock, log: silentLogger });
    await engine.submit(templateCreate("macos", { guestOs: "macos", resources: macosSize }));
    await engine.submit(templateCreate("linux", { resources: linuxSize }));
    const replay = new Replay(engine, clock, seed);
    for (let mac = 0; mac < macs; mac += 1) await replay.addMac(`mac-${String(mac).padStart(4, "0")}`);
    return replay;
  }

  private constructor(engine: Engine, clock: FakeClock, seed: number) {
    this.engine = engine;
    this.clock = clock;
    this.random = createRandom(seed);
    this.startMs = engine.nowMs();
    engine.onDurable((batch) => this.onBatch(batch));
  }

  async run(jobs: readonly Job[]): Promise<readonly Outcome[]> {
    for (const job of jobs) this.plan(`job-${job.number}`, job.atMs, () => this.ask(job));
    for (;;) {
      const next = this.agenda.first;
      if (next === undefined) break;
      this.agenda.remove(next.key);
      this.moveTo(next.atMs);
      await next.run();
      // Everything between the engine and a store in memory is promises: they have all run before this comes back.
      await setImmediate();
    }
    assert(this.outcomes.length === jobs.length, `${this.outcomes.length} of ${jobs.length} jobs have ended`);
    await this.engine.close();
    return this.outcomes;
  }

  private get nowMs(): number {
    return this.engine.nowMs() - this.startMs;
  }

  private moveTo(atMs: number): void {
    if (atMs > this.nowMs) this.clock.advance(atMs - this.nowMs);
  }

  private plan(key: string, atMs: number, run: Happening["run"]): void {
    this.agenda.add({ key, atMs, run });
  }

  private async addMac(name: string): Promise<void> {
    const inventory = wholeInventory([goldenVm()]);
    const host = await this.engine.submit(hostConnected(name, { facts: hostFacts(), inventory }));
    assert(typeof host !== "string", `${name} is refused`);
    this.epochs.set(name, host.epoch);
    // Macs do not fall silent here, so that a week needs no hundred thousand heartbeats.
    await this.engine.read((view) => {
      assert(view instanceof Pool, "the engine's view is its pool");
      const contact = required(view.contact(asHostId(name)), "contact");
      view.setContact(asHostId(name), { ...contact, silentAtMs: Number.MAX_SAFE_INTEGER });
    });
  }

  private async ask(job: Job): Promise<void> {
    const id = `job-${job.number}`;
    this.jobs.set(id, job);
    const { project, template, priority } = job;
    const uid = job.number.toString(16).padStart(32, "0");
    await this.engine.submit({
      ...vmCreate(id, { project, priority, template: templateCreate(template).id }),
      uid: uid as ReturnType<typeof vmCreate>["uid"],
    });
  }

  private onBatch(batch: DurableBatch): void {
    for (const change of batch.changes) {
      if (change.kind !== "vm" || change.after === undefined) continue;
      const { before, after } = change;
      this.note(after);
      const { command } = after;
      if (command !== undefined && command.id !== before?.command?.id) this.begin(after, command);
      if (after.state === "RUNNING" && before?.state !== "RUNNING") this.build(after);
    }
  }

  /** When it was placed, and when its place was free again. */
  private note(vm: VmRecord): void {
    const job = required(this.jobs.get(vm.id), "job");
    const place = this.placed.get(vm.id);
    if (vm.host !== undefined && place === undefined) {
      this.placed.set(vm.id, { atMs: this.nowMs, host: vm.host });
    } else if (vm.host === undefined && place !== undefined) {
      this.placed.delete(vm.id);
      this.jobs.delete(vm.id);
      const waitMs = place.atMs - job.atMs;
      this.outcomes.push({ job, waitMs, placedMs: place.atMs, freedMs: this.nowMs, host: place.host });
    }
  }

  private begin(vm: VmRecord, command: VmCommand): void {
    const [least, most] = durationsMs[command.kind];
    const host = required(vm.host, "host of a command");
    this.plan(command.id, this.nowMs + this.random.between(least, most), async () => {
      const shown = command.kind === "delete" ? {} : { vm: shownVm(vm, command.kind) };
      const report = { commandId: command.id, state: "SUCCEEDED" as const, ...shown };
      const epoch = required(this.epochs.get(host), "epoch");
      await this.engine.submit({ type: "command-reported", hostId: host, epoch, report });
    });
  }

  private build(vm: VmRecord): void {
    const job = required(this.jobs.get(vm.id), "job");
    this.plan(`done-${vm.id}`, this.nowMs + job.runMs, () =>
      this.engine.submit({ ...vmWant(vm.id, "deleted"), id: asVmId(vm.id), force: true }),
    );
  }
}

const macosSize = { cpuCount: 4, memoryMib: 16_384, diskMib: 90_000 };
const linuxSize = { cpuCount: 2, memoryMib: 4_096, diskMib: 30_000 };

const stateAfter: Readonly<Partial<Record<CommandKind, string>>> = { create: "stopped", stop: "stopped" };

function shownVm(vm: VmRecord, kind: CommandKind): HostVm {
  return hostVm(hostVmName(vm.uid, vm.attempt), {
    state: stateAfter[kind] ?? "running",
    resources: vm.resources,
    isMacos: vm.image.guestOs === "macos",
  });
}
