import assert from "node:assert/strict";
import * as fc from "fast-check";
import { QueueRun } from "../../../support/pool/queue-run.ts";
import { sized } from "../../../support/pool/specs.ts";

/** Of 12 CPUs each. */
const hostCount = 6;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** What a project asks for in a long history. */
interface Demand {
  readonly weight: number;
  /** VMs an hour. */
  readonly rate: number;
  readonly cpus: readonly number[];
}

/** Always more than the pool has, so that somebody waits at every moment. */
const someRate = fc.integer({ min: 130, max: 300 });
/** Of the same for all projects: those that ask for less at a time fill what others leave, which no order can help. */
const someCpus = fc.constantFrom([1], [2], [1, 2], [1, 4], [2, 3, 4]);

interface Draw {
  readonly atMs: number;
  readonly project: string;
  readonly cpuCount: number;
  readonly stayMs: number;
}

/** CPU time that each project got between the first and the last hour of a history of `hours`. */
function serve(demands: ReadonlyMap<string, Demand>, draws: readonly Draw[], hours: number): Map<string, number> {
  const run = new QueueRun();
  for (let host = 0; host < hostCount; host += 1) run.addHost(`mac-${host}`);
  for (const [name, { weight }] of demands) run.addProject(name, { weight });
  const startMs = run.timeMs;
  const got = new Map<string, number>([...demands.keys()].map((name) => [name, 0]));
  const asked = new Map<string, Draw>();
  for (const [index, draw] of draws.entries()) {
    run.advanceTo(startMs + draw.atMs);
    asked.set(`vm-${index}`, draw);
    run.ask(`vm-${index}`, draw.stayMs, { ...sized(draw.cpuCount), project: draw.project });
  }
  run.advanceTo(startMs + hours * hourMs);
  for (const [id, placedMs] of run.placedAtMs) {
    const draw = asked.get(id) ?? assert.fail();
    const fromMs = Math.max(placedMs, startMs + hourMs);
    const untilMs = Math.min(placedMs + draw.stayMs, startMs + hours * hourMs);
    got.set(draw.project, (got.get(draw.project) ?? 0) + draw.cpuCount * Math.max(0, untilMs - fromMs));
  }
  return got;
}

/** All that is asked for, in the order of time, drawn from a seed. */
function drawAll(demands: ReadonlyMap<string, Demand>, hours: number, seed: number): readonly Draw[] {
  const random = numbersFrom(seed);
  return [...demands]
    .flatMap(([project, { rate, cpus }]) =>
      Array.from({ length: rate * hours }, () => ({
        project,
        atMs: Math.floor(random() * hours * hourMs),
        cpuCount: cpus[Math.floor(random() * cpus.length)] ?? 1,
        stayMs: Math.floor((5 + random() * 40) * minuteMs),
      })),
    )
    .sort((a, b) => a.atMs - b.atMs);
}

/** Numbers from 0 to 1: mulberry32. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function sharesOf(got: ReadonlyMap<string, number>, demands: ReadonlyMap<string, Demand>): readonly number[] {
  return [...got].map(([project, cpuMs]) => cpuMs / (demands.get(project)?.weight ?? 1));
}

describe("fair shares, in long histories", () => {
  const hours = 24;

  it("give projects of equal weight equal service within 10 %, however much they ask for", () => {
    fc.assert(
      fc.property(fc.array(someRate, { minLength: 2, maxLength: 4 }), someCpus, fc.nat(), (rates, cpus, seed) => {
        const demands = new Map(rates.map((rate, index) => [`project-${index}`, { rate, cpus, weight: 1 }]));
        const shares = sharesOf(serve(demands, drawAll(demands, hours, seed), hours), demands);
        const ratio = Math.max(...shares) / Math.min(...shares);
        assert.ok(ratio <= 1.1, `${ratio}`);
      }),
      { numRuns: 15 },
    );
  }).timeout(60_000);

  it("give twice the weight twice the service, within 10 %", () => {
    fc.assert(
      fc.property(fc.tuple(someRate, someRate), someCpus, fc.nat(), ([one, two], cpus, seed) => {
        const demands = new Map([
          ["one", { rate: one, cpus, weight: 1 }],
          ["two", { rate: two, cpus, weight: 2 }],
        ]);
        const shares = sharesOf(serve(demands, drawAll(demands, hours, seed), hours), demands);
        const ratio = Math.max(...shares) / Math.min(...shares);
        assert.ok(ratio <= 1.1, `${ratio}`);
      }),
      { numRuns: 15 },
    );
  }).timeout(60_000);

  it("leave what a project does not ask for to the others", () => {
    const demands = new Map([
      ["modest", { weight: 1, rate: 6, cpus: [1] }],
      ["greedy", { weight: 1, rate: 240, cpus: [2] }],
    ]);
    const draws = drawAll(demands, hours, 1);
    const got = serve(demands, draws, hours);
    const wantedMs = draws
      .filter(({ project, atMs }) => project === "modest" && atMs >= hourMs && atMs <= (hours - 1) * hourMs)
      .reduce((sum, { cpuCount, stayMs }) => sum + cpuCount * stayMs, 0);
    assert.ok((got.get("modest") ?? 0) >= 0.95 * wantedMs, "who asks for little gets it");
    const all = [...got.values()].reduce((sum, cpuMs) => sum + cpuMs, 0);
    assert.ok(all >= 0.97 * 12 * hostCount * (hours - 1) * hourMs, "nothing is left idle");
  });

  it("give a project that comes late its share as VMs go, though the others have waited for longer", () => {
    const run = new QueueRun();
    run.addHost("mac-1");
    for (let vm = 0; vm < 500; vm += 1) run.ask(`early-${vm}`, 30 * minuteMs, { ...sized(1), project: "early" });
    run.advanceTo(run.timeMs + 3 * hourMs);
    const cameMs = run.timeMs;
    for (let vm = 0; vm < 6; vm += 1) run.ask(`late-${vm}`, 30 * minuteMs, { ...sized(1), project: "late" });
    run.advanceTo(cameMs + 31 * minuteMs);
    const waits = Array.from({ length: 6 }, (_, vm) => (run.placedAtMs.get(`late-${vm}`) ?? Infinity) - cameMs);
    assert.ok(Math.max(...waits) <= 30 * minuteMs, waits.join(" "));
  });
});
