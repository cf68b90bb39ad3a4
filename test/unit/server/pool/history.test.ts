import assert from "node:assert/strict";
import * as fc from "fast-check";
import { History, type HistoryEntry, type HistoryPage } from "../../../../server/pool/history.ts";

function entry(timeMs: number, fields: Partial<HistoryEntry> = {}): HistoryEntry {
  return { kind: "lifecycle", action: "vm.state", resource: "vms/a", timeMs, to: "RUNNING", ...fields };
}

function revisions(pages: Iterable<HistoryPage>): number[] {
  return Array.from(pages, ({ revision }) => revision);
}

/** A history with one entry a page, at the revisions and times given. */
function historyOf(...times: readonly (readonly [revision: number, timeMs: number])[]): History {
  const history = new History();
  for (const [revision, timeMs] of times) {
    history.note(entry(timeMs));
    history.takePage(revision);
  }
  return history;
}

describe("the history", () => {
  it("makes one page of all that was noted since the last one, and none of nothing", () => {
    const history = new History();
    assert.equal(history.takePage(1), undefined);
    history.note(entry(1));
    history.note(entry(2));
    assert.equal(history.hasNoted, true);
    const page = history.takePage(7);
    assert.deepEqual(page?.entries, [entry(1), entry(2)]);
    assert.equal(page?.id, "0000000000000007/2");
    assert.equal(history.takePage(8), undefined);
    assert.equal(history.size, 2);
  });

  it("is read from any revision in both directions", () => {
    const history = historyOf([3, 1], [5, 2], [9, 3]);
    assert.deepEqual(revisions(history.pagesFrom(0)), [3, 5, 9]);
    assert.deepEqual(revisions(history.pagesFrom(4)), [5, 9]);
    assert.deepEqual(revisions(history.pagesFrom(5)), [5, 9]);
    assert.deepEqual(revisions(history.pagesFrom(10)), []);
    assert.deepEqual(revisions(history.pagesBackFrom(10)), [9, 5, 3]);
    assert.deepEqual(revisions(history.pagesBackFrom(8)), [5, 3]);
    assert.deepEqual(revisions(history.pagesBackFrom(2)), []);
  });

  it("drops what is too much or too old, but never the newest page, and says from where it is complete", () => {
    const history = historyOf([3, 100], [5, 200], [9, 300]);
    assert.equal(history.completeAfter, 0);
    assert.deepEqual(revisions(history.dropOld({ entriesMax: 2, fromMs: 0 })), [3]);
    assert.equal(history.completeAfter, 3);
    assert.deepEqual(revisions(history.dropOld({ entriesMax: 2, fromMs: 201 })), [5]);
    assert.deepEqual(revisions(history.dropOld({ entriesMax: 0, fromMs: 1000 })), []);
    assert.deepEqual(revisions(history.pagesFrom(0)), [9]);
    assert.equal(history.size, 1);
  });

  it("reads stored pages only when they are asked for, and only once", () => {
    const history = new History();
    let reads = 0;
    history.restore("0000000000000004/1", () => {
      reads += 1;
      return { id: "0000000000000004/1", revision: 4, entries: [entry(1)] };
    });
    assert.equal(history.size, 1);
    assert.equal(history.completeAfter, 3);
    assert.equal(reads, 0);
    assert.deepEqual(revisions(history.pagesFrom(5)), []);
    assert.equal(reads, 0);
    assert.deepEqual(revisions(history.pagesFrom(4)), [4]);
    assert.equal(reads, 1);
  });

  it("cuts long messages", () => {
    const history = new History();
    history.note(entry(1, { message: "x".repeat(1000) }));
    assert.equal(history.takePage(1)?.entries[0]?.message?.length, 300);
  });

  it("answers as a plain list would, whatever is noted, dropped and asked", () => {
    const step = fc.record({
      entries: fc.integer({ min: 0, max: 3 }),
      skip: fc.integer({ min: 0, max: 2 }),
      entriesMax: fc.integer({ min: 0, max: 12 }),
      oldMs: fc.integer({ min: 0, max: 30 }),
      from: fc.integer({ min: 0, max: 90 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const history = new History();
        let plain: { readonly revision: number; readonly count: number; readonly timeMs: number }[] = [];
        let revision = 0;
        for (const [timeMs, { entries, skip, entriesMax, oldMs, from }] of steps.entries()) {
          revision += 1 + skip;
          for (let count = 0; count < entries; count += 1) history.note(entry(timeMs));
          if (history.takePage(revision) !== undefined) plain.push({ revision, count: entries, timeMs });
          const bounds = { entriesMax, fromMs: timeMs - oldMs };
          const dropped = history.dropOld(bounds);
          const sizeOf = (): number => plain.reduce((sum, page) => sum + page.count, 0);
          const expected: number[] = [];
          while (plain.length > 1 && (sizeOf() > entriesMax || (plain[0]?.timeMs ?? 0) < bounds.fromMs)) {
            expected.push(plain[0]?.revision ?? 0);
            plain = plain.slice(1);
          }
          assert.deepEqual(revisions(dropped), expected);
          assert.equal(history.size, sizeOf());
          const after = plain.filter((page) => page.revision >= from).map((page) => page.revision);
          assert.deepEqual(revisions(history.pagesFrom(from)), after);
          const before = plain.filter((page) => page.revision <= from).map((page) => page.revision);
          assert.deepEqual(revisions(history.pagesBackFrom(from)), before.reverse());
        }
      }),
    );
  });
});
