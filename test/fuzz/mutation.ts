/** Inputs that are almost right: real ones with bytes flipped, pieces cut, repeated and inserted, and values of JSON exchanged. */
import * as fc from "fast-check";
import { parseJson } from "../../agent/parallels/decoders.ts";

export interface MutationSource {
  readonly samples: readonly Uint8Array[];
  readonly words: readonly string[];
}

type Mutation = (input: Buffer) => Buffer;

/** Longer inputs only repeat what shorter ones show. */
const inputBytesMax = 64 * 1024;

/** Mutations of a sample, or of nothing; a failing one shrinks to few mutations of an early sample. */
export function mutatedInput({ samples, words }: MutationSource): fc.Arbitrary<Buffer> {
  const sample = fc.constantFrom(...samples.map((bytes) => Buffer.from(bytes)), Buffer.alloc(0));
  const mutations = fc.array(fc.oneof(...bytewise, inserted(words), spliced(samples), exchangedValue), {
    maxLength: 6,
  });
  return fc
    .tuple(sample, mutations)
    .map(([start, steps]) => steps.reduce<Buffer>((input, step) => step(input).subarray(0, inputBytesMax), start));
}

/** Where in an input: a share of its length, so that it means something for every input. */
const place = fc.double({ min: 0, max: 1, noNaN: true });
const length = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }) }, fc.integer({ min: 1, max: 300 }));

function at(input: Buffer, share: number): number {
  return Math.min(Math.floor(share * input.length), input.length);
}

function replaced(input: Buffer, from: number, count: number, by: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, from), by, input.subarray(from + count)]);
}

const bytewise: readonly fc.Arbitrary<Mutation>[] = [
  fc.tuple(place, fc.integer({ min: 0, max: 7 })).map(([share, bit]) => (input) => {
    const changed = Buffer.from(input);
    const index = at(input, share);
    if (index < changed.length) changed[index] = (changed[index] ?? 0) ^ (1 << bit);
    return changed;
  }),
  fc.tuple(place, fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x22)).map(([share, byte]) => (input) => {
    const changed = Buffer.from(input);
    const index = at(input, share);
    if (index < changed.length) changed[index] = byte;
    return changed;
  }),
  fc.tuple(place, length).map(
    ([share, count]) =>
      (input) =>
        replaced(input, at(input, share), count, Buffer.alloc(0)),
  ),
  place.map((share) => (input) => input.subarray(0, at(input, share))),
  fc.tuple(place, length, fc.integer({ min: 1, max: 40 })).map(([share, count, times]) => (input) => {
    const from = at(input, share);
    const piece = input.subarray(from, from + count);
    return replaced(input, from, 0, Buffer.concat(Array.from({ length: times }, () => piece)));
  }),
  fc.tuple(place, fc.uint8Array({ maxLength: 16 })).map(
    ([share, bytes]) =>
      (input) =>
        replaced(input, at(input, share), bytes.length, bytes),
  ),
];

/** What has broken decoders elsewhere. */
const nastyTexts = [
  "",
  "\u0000",
  "__proto__",
  "constructor",
  "\ud800",
  "9".repeat(400),
  "-1",
  "1e999",
  "NaN",
  "a".repeat(5_000),
  "(".repeat(2_000),
  "../../etc/passwd",
  "%00%2e",
  "\u202e",
  "\r\n\r\n",
];

function inserted(words: readonly string[]): fc.Arbitrary<Mutation> {
  return fc.tuple(place, fc.constantFrom(...nastyTexts, ...words)).map(
    ([share, text]) =>
      (input) =>
        replaced(input, at(input, share), 0, Buffer.from(text, "utf8")),
  );
}

/** The beginning of one sample and the end of another. */
function spliced(samples: readonly Uint8Array[]): fc.Arbitrary<Mutation> {
  return fc.tuple(place, place, fc.nat()).map(([share, otherShare, which]) => (input) => {
    const other = Buffer.from(samples[which % Math.max(1, samples.length)] ?? Buffer.alloc(0));
    return Buffer.concat([input.subarray(0, at(input, share)), other.subarray(at(other, otherShare))]);
  });
}

const nastyValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  "9".repeat(400),
  "x".repeat(5_000),
  [],
  [[]],
  {},
  JSON.parse('{"__proto__": {"polluted": true}}'),
  { toString: 1, valueOf: 1 },
  { length: 1e9 },
];

/** Puts another value, or the one of another field, where some value of a JSON text is. */
const exchangedValue: fc.Arbitrary<Mutation> = fc
  .tuple(fc.nat(), fc.constantFrom(...nastyValues))
  .map(([which, value]) => (input) => {
    const parsed = parseJson(input.toString("utf8"));
    if (parsed === undefined) return input;
    const slots = slotsOf(parsed.value);
    const slot = slots[which % (slots.length + 1)];
    if (slot === undefined) return Buffer.from(JSON.stringify(value) ?? "");
    slot.owner[slot.key] = value;
    return Buffer.from(JSON.stringify(parsed.value));
  });

interface Slot {
  readonly owner: Record<string, unknown>;
  readonly key: string;
}

function slotsOf(value: unknown): readonly Slot[] {
  if (typeof value !== "object" || value === null) return [];
  // An array is reached by its indices as any object is by its keys.
  const owner = value as Record<string, unknown>;
  return Object.keys(owner).flatMap((key) => [{ owner, key }, ...slotsOf(owner[key])]);
}
