/** A heap whose members can also be removed by key: the first one is at hand, adding and removing cost log(size). */

export class OrderedHeap<T> {
  private readonly heap: T[] = [];
  private readonly indexes = new Map<string, number>();
  private readonly goesBefore: (a: T, b: T) => boolean;
  private readonly keyOf: (member: T) => string;

  constructor(goesBefore: (a: T, b: T) => boolean, keyOf: (member: T) => string) {
    this.goesBefore = goesBefore;
    this.keyOf = keyOf;
  }

  get size(): number {
    return this.heap.length;
  }

  get first(): T | undefined {
    return this.heap[0];
  }

  /** The members, in no order. */
  values(): IterableIterator<T> {
    return this.heap.values();
  }

  /** Adds a member whose key is not there yet. */
  add(member: T): void {
    this.heap.push(member);
    this.siftUp(this.heap.length - 1, member);
  }

  remove(key: string): void {
    const index = this.indexes.get(key);
    if (index === undefined) return;
    this.indexes.delete(key);
    const last = this.heap.pop();
    if (last === undefined || index === this.heap.length) return;
    this.siftDown(this.siftUp(index, last), last);
  }

  private siftUp(start: number, member: T): number {
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.heap[parentIndex];
      if (parent === undefined || !this.goesBefore(member, parent)) break;
      this.place(index, parent);
      index = parentIndex;
    }
    this.place(index, member);
    return index;
  }

  private siftDown(start: number, member: T): void {
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.heap[childIndex];
      if (child === undefined) break;
      const right = this.heap[childIndex + 1];
      if (right !== undefined && this.goesBefore(right, child)) {
        childIndex += 1;
        child = right;
      }
      if (!this.goesBefore(child, member)) break;
      this.place(index, child);
      index = childIndex;
    }
    this.place(index, member);
  }

  private place(index: number, member: T): void {
    this.heap[index] = member;
    this.indexes.set(this.keyOf(member), index);
  }
}
