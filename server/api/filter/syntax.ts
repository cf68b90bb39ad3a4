/** The tree of a parsed filter. Positions are of characters, from 0. */

export type FilterNode =
  | { readonly kind: "and" | "or"; readonly operands: readonly FilterNode[] }
  | { readonly kind: "not"; readonly operand: FilterNode }
  | Restriction
  | SearchWord;

export const comparators = ["=", "!=", "<", "<=", ">", ">=", ":"] as const;
export type Comparator = (typeof comparators)[number];

/** `path comparator value` */
export interface Restriction {
  readonly kind: "restriction";
  readonly path: readonly PathPart[];
  readonly comparator: Comparator;
  readonly value: FilterValue;
}

/** A word that stands alone: looked for in the name and the labels. */
export interface SearchWord {
  readonly kind: "word";
  readonly text: string;
}

export interface PathPart {
  readonly text: string;
  readonly position: number;
}

export interface FilterValue {
  readonly text: string;
  readonly position: number;
  /** The text with "*" for anything, unless it was written `\*`: the pieces between the stars. One piece: no star. */
  readonly pieces: readonly string[];
}
