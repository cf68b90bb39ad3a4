/** The smallest items of many, in order, without sorting all of them: what one page of a list needs. */

export function smallest<T>(items: Iterable<T>, count: number, compare: (a: T, b: T) => number): T[] {
  const heap: T[] = [];
  for (const item of items) {
    if (heap.length < count) {
      heap.push(item);
      siftUp(heap, compare);
    } else {
      const largest = heap[0];
      if (largest === undefined || compare(item, largest) >= 0) continue;
      heap[0] = item;
      siftDown(heap, compare);
    }
  }
  return heap.sort(compare);
}

/** The largest item is at the top; each is at least as large as the two below it. */
function siftUp<T>(heap: T[], compare: (a: T, b: T) => number): void {
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!swapIfLarger(heap, index, parent, compare)) return;
    index = parent;
  }
}

function siftDown<T>(heap: T[], compare: (a: T, b: T) => number): void {
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const right = left + 1;
    const child = isLarger(heap, right, left, compare) ? right : left;
    if (!swapIfLarger(heap, child, index, compare)) return;
    index = child;
  }
}

function swapIfLarger<T>(heap: T[], below: number, above: number, compare: (a: T, b: T) => number): boolean {
  if (!isLarger(heap, below, above, compare)) return false;
  // Both exist: `isLarger` says so.
  [heap[below], heap[above]] = [heap[above] as T, heap[below] as T];
  return true;
}

function isLarger<T>(heap: readonly T[], index: number, than: number, compare: (a: T, b: T) => number): boolean {
  if (index >= heap.length || than >= heap.length) return false;
  // Both exist: the bounds were checked just now. (An item may itself be undefined, so that cannot be asked.)
  return compare(heap[index] as T, heap[than] as T) > 0;
}
