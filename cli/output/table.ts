/**
 * Tables without borders. They fit the terminal: the widest columns give way first, cut with an ellipsis; a pipe gets the
 * whole texts.
 */
import type { Paint, Tone } from "./paint.ts";
import { cut, pad, printable, widthOf } from "./text.ts";

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly tone?: (row: Row) => Tone;
  readonly align?: "left" | "right";
}

export interface TableLayout {
  /** In characters; infinite for a pipe. */
  readonly width: number;
  readonly paint: Paint;
  /** Characters before each line. Default 0. */
  readonly indent?: number;
}

const gap = "  ";

/** No column is cut below this: less says nothing. */
const columnMin = 6;

export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { width, paint, indent = 0 }: TableLayout,
): string {
  const cells = rows.map((row) => columns.map(({ text }) => printable(text(row))));
  const wanted = columns.map(({ title }, index) =>
    cells.reduce((most, row) => Math.max(most, widthOf(row[index] ?? "")), widthOf(title)),
  );
  const isNumber = columns.map(({ align }) => align === "right");
  const widths = shrink(wanted, isNumber, width - indent - gap.length * (columns.length - 1));
  const line = (texts: readonly string[], tone: (index: number) => Tone): string => {
    const parts = columns.map(({ align }, index) => {
      const columnWidth = widths[index] ?? 0;
      const text = pad(cut(texts[index] ?? "", columnWidth), columnWidth, align);
      // Nothing may follow the last column, or lines would wrap at the terminal's edge.
      return paint(index === columns.length - 1 && align !== "right" ? text.trimEnd() : text, tone(index));
    });
    return `${" ".repeat(indent)}${parts.join(gap).trimEnd()}\n`;
  };
  const head = line(
    columns.map(({ title }) => title),
    () => "dim",
  );
  const body = rows.map((row, at) => line(cells[at] ?? [], (index) => columns[index]?.tone?.(row) ?? "plain"));
  return [head, ...body].join("");
}

/** Takes from the widest column, one character at a time, until all fit or none can give more. */
function shrink(wanted: readonly number[], isNumber: readonly boolean[], available: number): readonly number[] {
  const widths = [...wanted];
  let excess = widths.reduce((sum, width) => sum + width, 0) - available;
  while (excess > 0 && Number.isFinite(excess)) {
    // Half a number misleads where half a word does not, so numbers stay whole.
    const widest = widths.reduce((best, width, index) => {
      const canGive = isNumber[index] !== true && width > columnMin;
      return canGive && (best === -1 || width > (widths[best] ?? 0)) ? index : best;
    }, -1);
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}
