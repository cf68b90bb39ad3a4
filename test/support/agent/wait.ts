/** Bounded waits for a condition, for tests with real sockets. */

/** Resolves when the condition holds; fails with `what` after `limitMs`. */
export async function until(isTrue: () => boolean, what: string, limitMs = 4_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
