/** Many at once, but not all. */

/** Calls `action` for every item, for so many at once; each of those has a number of its own. */
export async function forEachConcurrently<T>(
  items: readonly T[],
  workers: number,
  action: (item: T, worker: number) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const work = async (worker: number): Promise<void> => {
    for (const item of rest) await action(item, worker);
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
}
