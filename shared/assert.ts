/**
 * Assertions: for what cannot be unless the code is wrong. One that fails ends the process (nobody catches it to go on);
 * a restart recovers from what is durable.
 */

export class AssertionFailed extends Error {
  override readonly name = "AssertionFailed";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

/** Ends a `switch` over a closed union: fails to compile when a member has no case. */
export function assertNever(value: never, what: string): never {
  throw new AssertionFailed(`unexpected ${what}: ${JSON.stringify(value)}`);
}

/** The value, which cannot be missing unless the code is wrong. */
export function required<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionFailed(`missing ${what}`);
  return value;
}
