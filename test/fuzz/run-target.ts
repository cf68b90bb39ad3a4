/** Fuzzes one target: what is kept first, then mutations, until the runs or the time are used up, or an input breaks it. */
import * as fc from "fast-check";
import { keep, keptInputs } from "./corpus.ts";
import { mutatedInput } from "./mutation.ts";
import { expect, type Target, type TargetMaker } from "./target.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Inputs, beside those that are kept. */
  readonly runs: number;
  /** The most time, in ms. Default: no bound. */
  readonly timeMs?: number | undefined;
  /** Whether a breaking input is written into the corpus. */
  readonly keepsFound: boolean;
}

export interface FuzzReport {
  readonly target: string;
  readonly inputs: number;
  readonly decoded: number;
  readonly refused: number;
  /** The longest that one input took, in ms. */
  readonly slowestMs: number;
  readonly elapsedMs: number;
  readonly found?: Finding;
}

export interface Finding {
  readonly bytes: Uint8Array;
  readonly error: string;
  /** Where it is kept, if it is. */
  readonly path?: string;
}

const limitDefaultMs = 2_000;

export async function fuzzTarget(maker: TargetMaker, options: FuzzOptions): Promise<FuzzReport> {
  const target = await maker.open();
  try {
    const tally = new Tally(target);
    const found = await search(target, tally, options);
    return {
      target: target.name,
      ...tally.counts(),
      ...(found === undefined ? {} : { found: kept(target, found, options) }),
    };
  } finally {
    await target.close?.();
  }
}

/** Tries one input. Rejects with what is wrong. */
export async function replayInput(maker: TargetMaker, bytes: Uint8Array): Promise<void> {
  const target = await maker.open();
  try {
    await new Tally(target).judge(bytes);
    await target.inspect?.();
  } finally {
    await target.close?.();
  }
}

async function search(target: Target, tally: Tally, options: FuzzOptions): Promise<Finding | undefined> {
  const known = [...target.samples, ...keptInputs(target.name).map(({ bytes }) => bytes)];
  for (const bytes of known) {
    try {
      await tally.judge(bytes);
    } catch (error) {
      return { bytes, error: wordsOf(error) };
    }
  }
  const input = mutatedInput({ samples: known, words: target.words ?? [] });
  const details = await fc.check(
    fc.asyncProperty(input, (bytes) => tally.judge(bytes)),
    {
      seed: options.seed,
      numRuns: options.runs,
      ...(options.timeMs === undefined ? {} : { interruptAfterTimeLimit: options.timeMs }),
    },
  );
  if (details.failed && details.counterexample !== null) {
    return { bytes: details.counterexample[0], error: wordsOf(details.errorInstance) };
  }
  try {
    await target.inspect?.();
    return undefined;
  } catch (error) {
    return { bytes: Buffer.alloc(0), error: wordsOf(error) };
  }
}

function kept(target: Target, found: Finding, { keepsFound }: FuzzOptions): Finding {
  return keepsFound && found.bytes.length > 0 ? { ...found, path: keep(target.name, found.bytes) } : found;
}

/** Judges inputs, and counts what became of them. */
class Tally {
  private readonly target: Target;
  private readonly startMs = performance.now();
  private decoded = 0;
  private refused = 0;
  private slowestMs = 0;

  constructor(target: Target) {
    this.target = target;
  }

  async judge(bytes: Uint8Array): Promise<void> {
    const { limitMs = limitDefaultMs } = this.target;
    const startMs = performance.now();
    const verdict = await this.target.judge(bytes);
    const tookMs = performance.now() - startMs;
    this.slowestMs = Math.max(this.slowestMs, tookMs);
    if (verdict === "decoded") this.decoded += 1;
    else this.refused += 1;
    expect(tookMs <= limitMs, `took ${tookMs.toFixed(0)} ms, and may take ${limitMs} ms`);
    expect(!("polluted" in {}), "the prototype of all objects was changed");
  }

  counts(): Omit<FuzzReport, "target" | "found"> {
    const { decoded, refused, slowestMs } = this;
    return { inputs: decoded + refused, decoded, refused, slowestMs, elapsedMs: performance.now() - this.startMs };
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
