/** What the writing process stores at each revision, and so what must be found when it was killed at any of them. */
import type { StoreBatch, StoreContents } from "../../../../server/storage/store.ts";

const putsPerBatch = 5;
const keyCount = 200;
/** Large enough that the rounds of a test go through several logs and compactions of LevelDB. */
const filler = "x".repeat(4000);

export function batchAt(revision: number): StoreBatch {
  const first = revision * putsPerBatch;
  return {
    revision,
    puts: Array.from({ length: putsPerBatch }, (_, i) => ({ key: keyOf(first + i), value: `${revision} ${filler}` })),
    deletes: [keyOf(first + keyCount / 2)],
  };
}

/** Everything that is stored after all batches up to `revision`. */
export function contentsAt(revision: number): StoreContents {
  const records = new Map<string, string>();
  for (let done = 1; done <= revision; done++) {
    const { puts, deletes } = batchAt(done);
    for (const { key, value } of puts) records.set(key, value);
    for (const key of deletes) records.delete(key);
  }
  const entries = Array.from(records, ([key, value]) => ({ key, value }));
  return { revision, entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)) };
}

function keyOf(number: number): string {
  return `vm/build-${String(number % keyCount).padStart(4, "0")}`;
}
