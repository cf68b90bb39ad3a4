/**
 * A week of demand as build farms see it: quiet nights, peaks when people push before lunch and before they go home, merges
 * that bring a dozen builds at once, and a nightly suite. Made from a seed, so that it can be replayed.
 */
import { createRandom, type Random } from "../../../simulator/random.ts";

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** Two equal teams, and a third whose nights are long. */
export const projects = ["app", "tools", "nightly"] as const;
export type Project = (typeof projects)[number];

export interface Job {
  readonly number: number;
  readonly atMs: number;
  readonly project: Project;
  readonly template: "macos" | "linux";
  /** How long the build runs once its VM is ready. */
  readonly runMs: number;
  readonly priority: number;
}

export interface DemandOptions {
  readonly seed: number;
  readonly macs: number;
  readonly days: number;
  /** What share of all macOS slots the week needs on average, from 0 up. */
  readonly load: number;
  /** How many times as much the project `app` asks for as it would by its share; 1: as much as its equal. */
  readonly greed: number;
}

/** The jobs of the week in the order of their times. */
export function makeDemand(options: DemandOptions): readonly Job[] {
  const random = createRandom(options.seed);
  const slots = options.macs * 2;
  // So many minutes of builds as the load says, among the jobs of a mean length.
  const jobsPerDay = (options.load * slots * dayMs) / meanRunMs;
  const jobs: Omit<Job, "number">[] = [];
  for (let day = 0; day < options.days; day += 1) {
    const isWeekend = day % 7 >= 5;
    for (const project of ["app", "tools"] as const) {
      const count = jobsPerDay * (isWeekend ? 0.06 : 0.4) * (project === "app" ? options.greed : 1);
      addPushes(jobs, { random, project, dayStartMs: day * dayMs, count });
    }
    addNight(jobs, { random, project: "nightly", dayStartMs: day * dayMs, count: jobsPerDay * 0.2 });
  }
  const whole = jobs.map((job) => ({ ...job, atMs: Math.round(job.atMs), runMs: Math.round(job.runMs) }));
  return whole.sort((a, b) => a.atMs - b.atMs).map((job, number) => ({ number, ...job }));
}

interface DayPlan {
  readonly random: Random;
  readonly project: Project;
  readonly dayStartMs: number;
  readonly count: number;
}

/** Most builds are short and a few are long: log-normal with this median and spread. */
const medianRunMs = 9 * 60_000;
const runSpread = 0.7;
const meanRunMs = medianRunMs * Math.exp(runSpread ** 2 / 2);

function addPushes(jobs: Omit<Job, "number">[], { random, project, dayStartMs, count }: DayPlan): void {
  let left = Math.round(count);
  while (left > 0) {
    const atMs = dayStartMs + timeOfDayMs(random);
    // Every tenth push is a merge, whose pipeline fans out.
    const fan = Math.min(left, random.chance(0.1) ? 4 + Math.floor(random.fraction() * 20) : 1);
    for (let index = 0; index < fan; index += 1) {
      jobs.push({
        atMs: atMs + random.between(0, 3000),
        project,
        template: random.chance(0.85) ? "macos" : "linux",
        runMs: runMs(random),
        // Releases and hot fixes.
        priority: random.chance(0.03) ? 80 : 50,
      });
    }
    left -= fan;
  }
}

/** The suite begins at one o'clock, all at once, and is in nobody's way. */
function addNight(jobs: Omit<Job, "number">[], { random, project, dayStartMs, count }: DayPlan): void {
  for (let index = 0; index < Math.round(count); index += 1) {
    const atMs = dayStartMs + hourMs + random.between(0, 60_000);
    jobs.push({ atMs, project, template: "macos", runMs: runMs(random) * 1.5, priority: 30 });
  }
}

/** Two humps, before noon and in the late afternoon, on a low base. */
function timeOfDayMs(random: Random): number {
  const part = random.fraction();
  if (part < 0.1) return random.between(0, dayMs);
  const peakHour = part < 0.5 ? 10.5 : 15.5;
  const hour = peakHour + normal(random) * 1.6;
  return Math.min(dayMs - 1, Math.max(0, hour * hourMs));
}

function runMs(random: Random): number {
  return Math.max(20_000, medianRunMs * Math.exp(normal(random) * runSpread));
}

/** By Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction());
}
