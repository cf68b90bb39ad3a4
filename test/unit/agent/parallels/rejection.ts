/** Waiting for what must happen, and for what must fail. */
import assert from "node:assert/strict";
import { ParallelsError } from "../../../../agent/parallels/api.ts";

/** The error that the promise rejects with; fails the test if it is none of ours. */
export async function rejection(promise: Promise<unknown>): Promise<ParallelsError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ParallelsError, `expected a ParallelsError, got ${String(error)}`);
  return error;
}

/** Resolves once the condition holds; fails the test after five seconds. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
