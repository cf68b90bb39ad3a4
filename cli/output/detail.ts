/** The view of one resource: a heading, facts side by side with their names, and sections below. */
import type { Paint, Tone } from "./paint.ts";
import { type Column, renderTable } from "./table.ts";
import { pad, printable, widthOf, wrap } from "./text.ts";

/** A fact; an empty text leaves it out. */
export type Fact = readonly [title: string, text: string, tone?: Tone];

export class DetailView {
  readonly #paint: Paint;
  readonly #width: number;
  #text = "";

  constructor(paint: Paint, width: number) {
    this.#paint = paint;
    this.#width = width;
  }

  heading(name: string, state: string, tone: Tone): this {
    this.#text += `${this.#paint(printable(name), "strong")}${state === "" ? "" : `  ${this.#paint(state, tone)}`}\n`;
    return this;
  }

  sentence(text: string): this {
    if (text === "") return this;
    for (const line of wrap(printable(text), this.#width)) this.#text += `${line}\n`;
    return this;
  }

  facts(facts: readonly Fact[]): this {
    const shown = facts.filter(([, text]) => text !== "");
    const titleWidth = shown.reduce((most, [title]) => Math.max(most, widthOf(title)), 0);
    for (const [title, text, tone = "plain"] of shown) {
      const [first = "", ...others] = wrap(printable(text), this.#width - titleWidth - 4);
      this.#text += `  ${this.#paint(pad(title, titleWidth), "dim")}  ${this.#paint(first, tone)}\n`;
      for (const line of others) this.#text += `  ${" ".repeat(titleWidth)}  ${this.#paint(line, tone)}\n`;
    }
    return this;
  }

  /** A section of its own; left out when there are no rows. */
  table<Row>(title: string, rows: readonly Row[], columns: readonly Column<Row>[]): this {
    if (rows.length === 0) return this;
    const table = renderTable(rows, columns, { width: this.#width, paint: this.#paint, indent: 2 });
    this.#text += `\n${this.#paint(title, "strong")}\n${table}`;
    return this;
  }

  /** A section of facts; left out when there are none. */
  section(title: string, facts: readonly Fact[]): this {
    if (facts.every(([, text]) => text === "")) return this;
    this.#text += `\n${this.#paint(title, "strong")}\n`;
    return this.facts(facts);
  }

  toString(): string {
    return this.#text;
  }
}
