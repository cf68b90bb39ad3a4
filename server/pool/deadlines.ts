/**
 * When what is due. A key is scheduled at most once; scheduling it for later than it already is changes nothing, so that a
 * heartbeat that moves a host's deadline costs nothing: whoever takes the key out looks again at what is really due, and
 * schedules it anew.
 */
import { OrderedHeap } from "./ordered-heap.ts";

interface Deadline {
  readonly atMs: number;
  readonly key: string;
}

export class Deadlines {
  private readonly heap = new OrderedHeap<Deadline>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.key < b.key),
    (deadline) => deadline.key,
  );
  private readonly scheduled = new Map<string, number>();

  /** The time of the earliest key, or nothing. */
  get nextMs(): number | undefined {
    return this.heap.first?.atMs;
  }

  schedule(key: string, atMs: number): void {
    const known = this.scheduled.get(key);
    if (known !== undefined) {
      if (known <= atMs) return;
      this.heap.remove(key);
    }
    this.scheduled.set(key, atMs);
    this.heap.add({ atMs, key });
  }

  cancel(key: string): void {
    if (this.scheduled.delete(key)) this.heap.remove(key);
  }

  /** Takes out one key that is due by `nowMs`. */
  take(nowMs: number): string | undefined {
    const first = this.heap.first;
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.heap.remove(first.key);
    this.scheduled.delete(first.key);
    return first.key;
  }
}
