/**
 * What happened in the pool, in order: the moves of VMs and hosts, and what clients changed. Entries are noted while events
 * are applied and become durable in the batch that holds the change itself, as one page a batch, so that none is ever missing
 * or told of a change that was lost. The oldest pages are dropped beyond a bound. What was stored is read only when somebody
 * asks for it: a start does not wait for it.
 */
import { required } from "../../shared/assert.ts";

/** Who asked for a change, as the front door found out. */
export interface HistoryCaller {
  /** Such as `serviceAccounts/ci`. */
  readonly principal: string;
  /** How it was proven, such as "token". */
  readonly authentication: string;
  /** Where the call came from. */
  readonly address: string;
}

/** What a client asked for, and who: it goes with the event that it led to. */
export interface Asked {
  /** The RPC's name, such as "CreateVm". */
  readonly action: string;
  readonly caller: HistoryCaller;
}

export interface HistoryEntry {
  /** Whether the pool tells of itself, or of what a client asked for. */
  readonly kind: "lifecycle" | "audit";
  /** What happened: `vm.state`, `host.state`, `host.condition`, or the RPC's name. */
  readonly action: string;
  /** What it happened to, such as `vms/build-7`; empty for the pool itself. */
  readonly resource: string;
  readonly resourceUid?: string;
  readonly timeMs: number;
  readonly project?: string;
  readonly host?: string;
  readonly from?: string;
  readonly to?: string;
  /** One CamelCase word, or of a refused call the error's reason. */
  readonly reason?: string;
  readonly message?: string;
  readonly caller?: HistoryCaller;
  /** The gRPC code of a refused call; absent: it succeeded. */
  readonly code?: string;
  /** The fields of the spec that a change gave another value. */
  readonly fields?: readonly string[];
  /** How many calls of this kind the entry stands for; absent: one. */
  readonly count?: number;
}

/** All entries of one batch. */
export interface HistoryPage {
  /** `revision/count`, the revision with leading zeros: the order of ids is the order of time. */
  readonly id: string;
  readonly revision: number;
  readonly entries: readonly HistoryEntry[];
}

/** A page that is in memory, or a way to read it. */
interface KeptPage {
  readonly id: string;
  readonly revision: number;
  readonly count: number;
  readonly read: () => HistoryPage;
}

/** What everyone but the pool may ask of it. */
export interface HistoryView {
  /** How many entries are kept. */
  readonly size: number;
  /** Everything after this revision is kept; 0: everything that ever happened. */
  readonly completeAfter: number;
  /** Kept pages from a revision on, the oldest first. */
  pagesFrom(revision: number): Iterable<HistoryPage>;
  /** Kept pages up to a revision, the newest first. */
  pagesBackFrom(revision: number): Iterable<HistoryPage>;
}

/** Longer texts are cut: what they say in full stands in the resource. */
const messageLengthMax = 300;

export class History implements HistoryView {
  private pages: KeptPage[] = [];
  /** How many pages at the beginning of `pages` are dropped already. */
  private droppedCount = 0;
  private entryCount = 0;
  private completeFrom = 0;
  private noted: HistoryEntry[] = [];

  get size(): number {
    return this.entryCount;
  }

  get completeAfter(): number {
    return this.completeFrom;
  }

  /** Whether something was noted that no page holds yet. */
  get hasNoted(): boolean {
    return this.noted.length > 0;
  }

  /** How many entries were noted that no page holds yet. */
  get notedCount(): number {
    return this.noted.length;
  }

  /** @param index where among the entries that no page holds yet; default: after them. */
  note(entry: HistoryEntry, index = this.noted.length): void {
    const { message } = entry;
    const isLong = message !== undefined && message.length > messageLengthMax;
    const kept = isLong ? { ...entry, message: `${message.slice(0, messageLengthMax - 1)}…` } : entry;
    if (index === this.noted.length) this.noted.push(kept);
    else this.noted.splice(index, 0, kept);
  }

  /** The page of the batch that is being sealed; nothing if nothing was noted. */
  takePage(revision: number): HistoryPage | undefined {
    if (this.noted.length === 0) return undefined;
    const entries = this.noted;
    this.noted = [];
    const page = { id: historyPageId(revision, entries.length), revision, entries };
    this.keep({ id: page.id, revision, count: entries.length, read: () => page });
    return page;
  }

  /** Takes on a page that is stored, the oldest first. */
  restore(id: string, read: () => HistoryPage): void {
    const { revision, count } = parseHistoryPageId(id);
    // What came before the oldest page was dropped at some time, unless that is the first that there ever was.
    if (this.pages.length === 0) this.completeFrom = Math.max(0, revision - 1);
    this.keep({ id, revision, count, read });
  }

  /** Drops the oldest pages until what is left is within the bounds, but never the newest; returns what was dropped. */
  dropOld({ entriesMax, fromMs }: { readonly entriesMax: number; readonly fromMs: number }): readonly HistoryPage[] {
    const dropped: HistoryPage[] = [];
    while (this.pages.length - this.droppedCount > 1) {
      const oldest = required(this.pages[this.droppedCount], "oldest page");
      if (this.entryCount <= entriesMax && lastTimeMs(oldest.read()) >= fromMs) break;
      dropped.push(oldest.read());
      this.entryCount -= oldest.count;
      this.completeFrom = oldest.revision;
      this.droppedCount += 1;
    }
    // The array is cut only now and then, so that dropping one page does not move all others.
    if (this.droppedCount * 2 > this.pages.length) {
      this.pages = this.pages.slice(this.droppedCount);
      this.droppedCount = 0;
    }
    return dropped;
  }

  /** When the oldest page was made; nothing if there is none but the newest. */
  get oldestMs(): number | undefined {
    const oldest = this.pages[this.droppedCount];
    return oldest === undefined || this.pages.length - this.droppedCount < 2 ? undefined : lastTimeMs(oldest.read());
  }

  *pagesFrom(revision: number): Iterable<HistoryPage> {
    for (let index = this.indexFrom(revision); index < this.pages.length; index += 1) {
      const page = this.pages[index];
      if (page !== undefined) yield page.read();
    }
  }

  *pagesBackFrom(revision: number): Iterable<HistoryPage> {
    for (let index = this.indexFrom(revision + 1) - 1; index >= this.droppedCount; index -= 1) {
      const page = this.pages[index];
      if (page !== undefined) yield page.read();
    }
  }

  private keep(page: KeptPage): void {
    this.pages.push(page);
    this.entryCount += page.count;
  }

  /** The index of the first kept page of that revision or a later one. */
  private indexFrom(revision: number): number {
    let low = this.droppedCount;
    let high = this.pages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.pages[middle]?.revision ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function lastTimeMs(page: HistoryPage): number {
  return page.entries.at(-1)?.timeMs ?? 0;
}

/** As many digits as the largest safe integer has. */
const revisionDigits = 16;

export function historyPageId(revision: number, count: number): string {
  return `${String(revision).padStart(revisionDigits, "0")}/${count}`;
}

function parseHistoryPageId(id: string): { readonly revision: number; readonly count: number } {
  const [revision = "", count = ""] = id.split("/");
  return { revision: Number(revision), count: Number(count) };
}
