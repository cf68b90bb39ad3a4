/** What is fuzzed: something that takes bytes from outside and gives them a meaning, or refuses them in a way that it declares. */

/** What became of an input. */
export type Verdict = "decoded" | "refused";

export interface Target {
  readonly name: string;
  /** Real inputs, as real encoders make them: what is mutated. */
  readonly samples: readonly Uint8Array[];
  /** Pieces of its language that mutations insert. */
  readonly words?: readonly string[];
  /** Rejects, or throws, with anything that the target does not declare: that is a bug. */
  readonly judge: (input: Uint8Array) => Verdict | Promise<Verdict>;
  /** How long it may take over one input, in ms. Default 2,000: no input of a few KiB is worth more, even on a busy machine. */
  readonly limitMs?: number;
  /** Looks at what only shows after many inputs, such as memory. Rejects with what is wrong. */
  readonly inspect?: () => Promise<void>;
  readonly close?: () => Promise<void>;
}

/** A target of decoders is made at once; one with a server has to start it. */
export interface TargetMaker {
  readonly name: string;
  readonly open: () => Promise<Target>;
}

/** A target without anything to start. */
export function decoder(target: Target): TargetMaker {
  return { name: target.name, open: () => Promise.resolve(target) };
}

export function bytesOf(...texts: readonly string[]): readonly Uint8Array[] {
  return texts.map((text) => Buffer.from(text, "utf8"));
}

export function textOf(input: Uint8Array): string {
  return Buffer.from(input).toString("utf8");
}

/** Runs a decoder. @param isDeclared whether the decoder says that it throws this. */
export async function refusedBy(isDeclared: (error: unknown) => boolean, decode: () => unknown): Promise<Verdict> {
  try {
    await decode();
    return "decoded";
  } catch (error) {
    if (isDeclared(error)) return "refused";
    throw error;
  }
}

/** Throws unless it holds: a decoder gave something that it should not have given. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
