/**
 * `npm run bench:noisy`: what one client that asks as much as it can costs the others and the agents' link. A secure server, 20
 * hosts; measured in turns without noise, with noise under the usual limits, and with noise under limits that nobody meets.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { isGone, isRunning, VmWatch } from "../load/vm-watch.ts";
import { momentMs, pause } from "../moment.ts";
import { cpuPercent } from "../process-usage.ts";
import { openScratchDisk } from "../scratch-disk.ts";
import { median, quantile } from "../statistics.ts";
import type { NoiseOrder, NoiseReport } from "./noise.ts";
import { SecurePoolUnderLoad } from "./secure-pool-under-load.ts";

const rounds = 3;
const hostCount = 20;
const measuredMs = 8_000;
/** The noise's burst is over by then. */
const settlingMs = 5_000;
const beatPeriodMs = 10;

const phases = ["no noise", "noise, limits", "noise, no limits"] as const;
type Phase = (typeof phases)[number];

interface Turn {
  readonly beatsMs: readonly number[];
  readonly createsMs: readonly number[];
  readonly runningMs: readonly number[];
  readonly cpuPercent: number;
  readonly answeredPerSecond: number;
  readonly refusedPerSecond: number;
}

const disk = openScratchDisk(fileURLToPath(new URL("../../../.bench", import.meta.url)));
process.once("exit", () => disk.remove());
const pool = await SecurePoolUnderLoad.open(join(disk.path, "noisy"));
const noise = fork(new URL("noise.ts", import.meta.url));
const noisyToken = await pool.access.makeAccount("noisy");
const quiet = pool.client(await pool.access.makeAccount("quiet"));
await pool.makeTemplate("linux");
const waiting = new Map<number, number>();
let beatsMs: number[] = [];
const probe = await pool.addHost("mac-0", (acknowledged) => {
  for (const [sequence, sentMs] of waiting) {
    if (sequence > acknowledged) break;
    beatsMs.push(momentMs() - sentMs);
    waiting.delete(sequence);
  }
});
for (let host = 1; host < hostCount; host += 1) await pool.addHost(`mac-${host}`, () => undefined);
const watch = new VmWatch(quiet, 0n);
let made = 0;

const turns = new Map<Phase, Turn[]>(phases.map((phase) => [phase, []]));
await measure(2_000);
for (let round = 0; round < rounds; round += 1) {
  for (const phase of phases) {
    process.stdout.write(`${phase} … `);
    turns.get(phase)?.push(await takeTurn(phase));
  }
}
process.stdout.write(`\n\n${table()}\n`);
watch.close();
noise.kill();
await pool.close();
process.exit();

async function takeTurn(phase: Phase): Promise<Turn> {
  await pool.access.setLimits(phase !== "noise, no limits");
  if (phase === "no noise") {
    await pause(1_000);
    return { ...(await measure(measuredMs)), answeredPerSecond: 0, refusedPerSecond: 0 };
  }
  await shout();
  await pause(settlingMs);
  await quieten();
  await shout();
  const startMs = momentMs();
  const measured = await measure(measuredMs);
  const seconds = (momentMs() - startMs) / 1000;
  const { answered, refused } = await quieten();
  return { ...measured, answeredPerSecond: answered / seconds, refusedPerSecond: refused / seconds };
}

function shout(): Promise<void> {
  const order: NoiseOrder = { kind: "start", server: pool.addresses.grpc, ca: pool.access.ca, token: noisyToken };
  return new Promise((resolve, reject) => {
    noise.send(order, (error) => (error === null ? resolve() : reject(error)));
  });
}

function quieten(): Promise<NoiseReport> {
  const order: NoiseOrder = { kind: "stop" };
  return new Promise((resolve) => {
    noise.once("message", (report: NoiseReport) => resolve(report));
    noise.send(order);
  });
}

/** VMs one after the other by the quiet client, and heartbeats of one host all the while. */
async function measure(spanMs: number): Promise<Omit<Turn, "answeredPerSecond" | "refusedPerSecond">> {
  const createsMs: number[] = [];
  const runningMs: number[] = [];
  beatsMs = [];
  const beating = setInterval(() => waiting.set(probe.beatNow(), momentMs()), beatPeriodMs);
  const before = pool.server.usage();
  const endMs = momentMs() + spanMs;
  while (momentMs() < endMs) {
    made += 1;
    const vmId = `vm-${made}`;
    const name = `vms/${vmId}`;
    const running = watch.until(name, isRunning);
    const startMs = momentMs();
    await quiet.call(VmService.method.createVm, { vmId, vm: { spec: { template: "templates/linux" } } });
    createsMs.push(momentMs() - startMs);
    runningMs.push((await running) - startMs);
    const gone = watch.until(name, isGone);
    await quiet.call(VmService.method.deleteVm, { name });
    await gone;
  }
  const after = pool.server.usage();
  clearInterval(beating);
  const cpu = before === undefined || after === undefined ? Number.NaN : cpuPercent(before, after);
  return { beatsMs, createsMs, runningMs, cpuPercent: cpu };
}

function table(): string {
  const rows = phases.map((phase) => {
    const of = turns.get(phase) ?? [];
    const spread = (value: (turn: Turn) => number, digits: number): string => {
      const values = of.map(value);
      const [least, most] = [Math.min(...values), Math.max(...values)];
      return `${median(values).toFixed(digits)} (${least.toFixed(digits)}..${most.toFixed(digits)})`;
    };
    return [
      phase,
      spread(({ beatsMs: times }) => median(times), 2),
      spread(({ beatsMs: times }) => quantile(times, 0.99), 1),
      spread(({ createsMs }) => median(createsMs), 2),
      spread(({ createsMs }) => quantile(createsMs, 0.99), 1),
      spread(({ runningMs }) => median(runningMs), 2),
      spread(({ runningMs }) => quantile(runningMs, 0.99), 1),
      spread(({ cpuPercent: share }) => share, 0),
      spread(({ answeredPerSecond }) => answeredPerSecond, 0),
      spread(({ refusedPerSecond }) => refusedPerSecond, 0),
    ];
  });
  const titles = [
    "",
    "heartbeat p50 ms",
    "p99",
    "create p50 ms",
    "p99",
    "running p50 ms",
    "p99",
    "CPU %",
    "noise answered / s",
    "refused / s",
  ];
  return [titles, titles.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
