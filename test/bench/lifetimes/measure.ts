/** Many lives of VMs on one data directory, in stretches; after each the server's store is closed and opened again. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Engine } from "../../../server/engine/engine.ts";
import { openLevelStore } from "../../../server/storage/level-store.ts";
import { randomIds } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { momentMs } from "../moment.ts";
import { quantile } from "../statistics.ts";
import { Farm, type FarmOptions } from "./farm.ts";
import { TimedStore } from "./timed-store.ts";

export interface LifetimesOptions extends FarmOptions {
  readonly directory: string;
  readonly vms: number;
  readonly stretches: number;
}

/** What one stretch came to. */
export interface Stretch {
  /** Lives ended since the beginning. */
  readonly lives: number;
  readonly livesPerSecond: number;
  readonly records: number;
  /** Of the keys and values that are live, and of the database's files, in MiB. */
  readonly liveMib: number;
  readonly diskMib: number;
  /** What the store was handed, and what the process wrote to disks, for each life, in KiB; the latter only on Linux. */
  readonly handedKib: number;
  readonly writtenKib: number | undefined;
  readonly commits: number;
  readonly commitMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** From opening the directory until the pool is ready, in ms. */
  readonly openMs: number;
}

export async function* measureLifetimes(options: LifetimesOptions): AsyncIterable<Stretch> {
  const clock = new FakeClock();
  const perStretch = Math.ceil(options.vms / options.stretches);
  for (let stretch = 0; stretch < options.stretches; stretch += 1) {
    const begun = stretch * perStretch;
    const worked = await work(options, { clock, begun, count: perStretch });
    const { openMs, loaded } = await measureOpening(options.directory, clock);
    yield {
      ...worked,
      lives: begun + perStretch,
      records: loaded.count,
      liveMib: mib(loaded.bytes),
      diskMib: mib(sizeOf(join(options.directory, "database"))),
      openMs,
    };
  }
}

interface Work {
  readonly clock: FakeClock;
  readonly begun: number;
  readonly count: number;
}

async function work(options: LifetimesOptions, { clock, begun, count }: Work) {
  const store = new TimedStore(await openLevelStore(options.directory, { ids: randomIds, clock }));
  const farm = await Farm.open(store, clock, { ...options, begun });
  store.reset();
  const startMs = momentMs();
  const writtenBefore = readWrittenBytes();
  await farm.live(count);
  const seconds = (momentMs() - startMs) / 1000;
  await farm.close();
  await store.close();
  const written = readWrittenBytes();
  const times = store.commitTimesMs;
  return {
    livesPerSecond: count / seconds,
    handedKib: store.handedBytes / 1024 / count,
    writtenKib:
      written === undefined || writtenBefore === undefined ? undefined : (written - writtenBefore) / 1024 / count,
    commits: times.length,
    commitMs: { p50: quantile(times, 0.5), p99: quantile(times, 0.99), max: quantile(times, 1) },
  };
}

async function measureOpening(directory: string, clock: FakeClock) {
  const startMs = momentMs();
  const store = new TimedStore(await openLevelStore(directory, { ids: randomIds, clock }));
  const engine = await Engine.open({ store, clock, log: silentLogger });
  const openMs = momentMs() - startMs;
  await engine.close();
  await store.close();
  return { openMs, loaded: store.loaded };
}

function mib(bytes: number): number {
  return bytes / 1024 / 1024;
}

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Bytes that this process has caused to be written to disks, as Linux counts them; undefined elsewhere. */
function readWrittenBytes(): number | undefined {
  try {
    const match = /^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "latin1"));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}
