/** What many runs came to, as one line. */
import type { RunResult } from "./run.ts";

/** How many seeds are named for each broken rule. */
const namedMax = 12;

export class Totals {
  brokenCount = 0;
  #seedCount = 0;
  #stepCount = 0;
  #settleStepCount = 0;
  #simulatedMs = 0;
  readonly #calls = new Map<string, number>();
  #lostAnswerCount = 0;
  readonly #faults = new Map<string, number>();
  readonly #rules = new Map<string, number[]>();
  readonly #startedMs = performance.now();

  add(result: RunResult): void {
    this.#seedCount += 1;
    this.#stepCount += result.stepCount;
    this.#settleStepCount += result.settleStepCount;
    this.#simulatedMs += result.simulatedMs;
    addCounts(this.#calls, result.callCounts);
    this.#lostAnswerCount += result.lostAnswerCount;
    addCounts(this.#faults, result.faultCounts);
    if (result.broken === undefined) return;
    this.brokenCount += 1;
    const { rule } = result.broken;
    this.#rules.set(rule, [...(this.#rules.get(rule) ?? []), result.seed]);
  }

  progress(): string {
    const tookS = (performance.now() - this.#startedMs) / 1000;
    return `${this.#seedCount} seeds in ${tookS.toFixed(0)} s, broken rules: ${this.brokenCount}`;
  }

  line(): string {
    const tookS = (performance.now() - this.#startedMs) / 1000;
    const steps = this.#stepCount + this.#settleStepCount;
    const rules = [...this.#rules].map(
      ([rule, seeds]) => `${rule} (${seeds.length}: seeds ${seeds.slice(0, namedMax).join(" ")})`,
    );
    return [
      `seeds ${this.#seedCount}, steps ${this.#stepCount} and ${this.#settleStepCount} to settle`,
      `${Math.round(steps / tookS)} steps/s, ${(this.#simulatedMs / 3_600_000).toFixed(1)} simulated h in ${tookS.toFixed(1)} s`,
      `calls: ${listCounts(this.#calls)}, answers lost ${this.#lostAnswerCount}`,
      `faults: ${listCounts(this.#faults)}`,
      `broken rules: ${this.brokenCount}${rules.length === 0 ? "" : `: ${rules.join("; ")}`}`,
    ].join(" | ");
  }
}

function addCounts(sums: Map<string, number>, counts: ReadonlyMap<string, number>): void {
  for (const [kind, count] of counts) sums.set(kind, (sums.get(kind) ?? 0) + count);
}

/** The most frequent first. */
function listCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
}
