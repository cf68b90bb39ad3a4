/** Cuts a filter into tokens. */
import { expressionInvalid } from "./expression-error.ts";
import { type Comparator, comparators } from "./syntax.ts";

export type Token = TextToken | ComparatorToken | MarkToken;

export interface TextToken {
  readonly kind: "text";
  readonly text: string;
  /** As in `FilterValue`. */
  readonly pieces: readonly string[];
  readonly isQuoted: boolean;
  readonly position: number;
}

interface ComparatorToken {
  readonly kind: "comparator";
  readonly comparator: Comparator;
  readonly position: number;
}

interface MarkToken {
  readonly kind: "(" | ")" | "." | "-" | "end";
  readonly position: number;
}

export class Lexer {
  private readonly source: string;
  private position = 0;

  constructor(source: string) {
    this.source = source;
  }

  /** The next token where a term or an operator may stand: texts end at dots and comparators. */
  next(): Token {
    this.skipSpace();
    const { position } = this;
    const character = this.source.charAt(position);
    if (character === "") return { kind: "end", position };
    if (character === "(" || character === ")" || character === "." || character === "-") {
      this.position += 1;
      return { kind: character, position };
    }
    const comparator = longestComparator(this.source, position);
    if (comparator !== undefined) {
      this.position += comparator.length;
      return { kind: "comparator", comparator, position };
    }
    return this.text(/[^\s()"'.=!<>:,]/);
  }

  /** The next token where a value must stand: texts go on over dots, colons and signs, as in times. */
  nextValue(): TextToken {
    this.skipSpace();
    return this.text(/[^\s()"',=<>]/);
  }

  private text(allowed: RegExp): TextToken {
    const { position } = this;
    const quote = this.source.charAt(position);
    if (quote === '"' || quote === "'") return this.quoted(quote);
    let end = position;
    while (end < this.source.length && allowed.test(this.source.charAt(end))) end += 1;
    if (end === position) {
      const found = this.source.charAt(position);
      throw expressionInvalid("filter", position, `expected a word or a value, found ${describeCharacter(found)}`);
    }
    this.position = end;
    const text = this.source.slice(position, end);
    return { kind: "text", text, pieces: text.split("*"), isQuoted: false, position };
  }

  private quoted(quote: string): TextToken {
    const { position } = this;
    const pieces: string[] = [];
    let text = "";
    let piece = "";
    for (let index = position + 1; index < this.source.length; index += 1) {
      let character = this.source.charAt(index);
      if (character === quote) {
        this.position = index + 1;
        return { kind: "text", text, pieces: [...pieces, piece], isQuoted: true, position };
      }
      if (character === "*") {
        pieces.push(piece);
        piece = "";
        text += character;
        continue;
      }
      if (character === "\\") {
        index += 1;
        character = this.source.charAt(index);
      }
      text += character;
      piece += character;
    }
    throw expressionInvalid("filter", position, `expected a closing ${quote}`);
  }

  private skipSpace(): void {
    while (/\s/.test(this.source.charAt(this.position))) this.position += 1;
  }
}

/** Longer ones first, so that "<=" is not taken for "<". */
const comparatorsByLength = comparators.toSorted((a, b) => b.length - a.length);

function longestComparator(source: string, position: number): Comparator | undefined {
  return comparatorsByLength.find((comparator) => source.startsWith(comparator, position));
}

function describeCharacter(character: string): string {
  return character === "" ? "the end" : `"${character}"`;
}
