/**
 * Counts the dials of the agent, so that a server can tell a Hello that was held up in the network from a newer one. The count
 * goes on over the agent's restarts; where it would not be certain to grow, a new series begins.
 */
import type { DialNumber } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { IdSource } from "../../shared/ids.ts";
import type { Journal } from "../journal/journal.ts";
import type { RunRecord } from "../journal/journal-record.ts";

export class DialCounter {
  readonly #journal: Journal;
  readonly #ids: IdSource;
  #run: RunRecord;
  #dial = 0;

  private constructor(journal: Journal, ids: IdSource, run: RunRecord) {
    this.#journal = journal;
    this.#ids = ids;
    this.#run = run;
  }

  /** Counts this start of the agent. Resolves when the next one will know of it. */
  static async open(journal: Journal, ids: IdSource): Promise<DialCounter> {
    const { run: before } = journal.state;
    const counter = new DialCounter(journal, ids, {
      kind: "run",
      series: before?.series ?? ids.uid(),
      number: (before?.number ?? 0) + 1,
    });
    // A start that the next one may not know of would have the same number as that one.
    await journal.write(counter.#run).catch(() => counter.beginSeries());
    return counter;
  }

  next(): DialNumber {
    this.#dial += 1;
    return { series: this.#run.series, run: this.#run.number, dial: this.#dial };
  }

  /** Lets go of a count that the server takes for an old one, as after a journal was restored from a backup. */
  beginSeries(): void {
    this.#run = { kind: "run", series: this.#ids.uid(), number: 1 };
    this.#dial = 0;
    this.#journal.note(this.#run);
  }
}
