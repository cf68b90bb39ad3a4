/**
 * Parses filters as AIP-160 has them: restrictions, AND, OR (which binds tighter than AND), NOT and "-", parentheses, terms
 * one after the other (which means AND), and words that stand alone.
 */
import { filterDepthMax, filterLengthMax, pathPartsMax } from "../limits.ts";
import { expressionInvalid } from "./expression-error.ts";
import { Lexer, type TextToken, type Token } from "./lexer.ts";
import type { FilterNode, PathPart } from "./syntax.ts";

/** The tree, or undefined for a filter that lets everything through. Throws EXPRESSION_INVALID. */
export function parseFilter(source: string): FilterNode | undefined {
  if (source.length > filterLengthMax) {
    throw expressionInvalid(
      "filter",
      filterLengthMax,
      `expected the end: a filter has at most ${filterLengthMax} characters`,
    );
  }
  if (source.trim() === "") return undefined;
  return new Parser(source).parse();
}

class Parser {
  private readonly lexer: Lexer;
  private token: Token;
  private depth = 0;

  constructor(source: string) {
    this.lexer = new Lexer(source);
    this.token = this.lexer.next();
  }

  parse(): FilterNode {
    const node = this.expression();
    if (this.token.kind !== "end") throw this.unexpected("AND, OR or the end");
    return node;
  }

  /** Sequences joined by AND; a sequence is an AND too. */
  private expression(): FilterNode {
    const operands = [this.factor()];
    for (;;) {
      if (this.isKeyword("AND")) {
        this.advance();
        operands.push(this.factor());
      } else if (this.startsTerm()) {
        operands.push(this.factor());
      } else {
        return joined("and", operands);
      }
    }
  }

  private factor(): FilterNode {
    const operands = [this.term()];
    while (this.isKeyword("OR")) {
      this.advance();
      operands.push(this.term());
    }
    return joined("or", operands);
  }

  private term(): FilterNode {
    if (this.token.kind === "-" || this.isKeyword("NOT")) {
      this.advance();
      return { kind: "not", operand: this.nested(() => this.term()) };
    }
    if (this.token.kind !== "(") return this.restriction();
    this.advance();
    const node = this.nested(() => this.expression());
    this.closeParenthesis();
    return node;
  }

  private closeParenthesis(): void {
    if (this.token.kind !== ")") throw this.unexpected('")"');
    this.advance();
  }

  private restriction(): FilterNode {
    const first = this.expectText();
    const path: PathPart[] = [first];
    let text = first.text;
    while (this.token.kind === ".") {
      this.advance();
      const part = this.expectText();
      path.push(part);
      text += `.${part.text}`;
      if (path.length > pathPartsMax)
        throw expressionInvalid("filter", part.position, "expected no further part of the path");
    }
    if (this.token.kind !== "comparator") return { kind: "word", text };
    const { comparator } = this.token;
    const value = this.lexer.nextValue();
    this.advance();
    return { kind: "restriction", path, comparator, value };
  }

  private expectText(): TextToken {
    const { token } = this;
    if (token.kind !== "text" || this.isAnyKeyword()) throw this.unexpected("a field, a word or a parenthesis");
    this.advance();
    return token;
  }

  private nested(parse: () => FilterNode): FilterNode {
    this.depth += 1;
    if (this.depth > filterDepthMax) {
      throw expressionInvalid(
        "filter",
        this.token.position,
        `expected no more than ${filterDepthMax} levels of parentheses`,
      );
    }
    const node = parse();
    this.depth -= 1;
    return node;
  }

  private startsTerm(): boolean {
    const { kind } = this.token;
    return kind === "-" || kind === "(" || (kind === "text" && !this.isKeyword("OR") && !this.isKeyword("AND"));
  }

  private isAnyKeyword(): boolean {
    return this.isKeyword("AND") || this.isKeyword("OR") || this.isKeyword("NOT");
  }

  private isKeyword(keyword: "AND" | "OR" | "NOT"): boolean {
    return this.token.kind === "text" && !this.token.isQuoted && this.token.text === keyword;
  }

  private advance(): void {
    this.token = this.lexer.next();
  }

  private unexpected(expected: string): Error {
    return expressionInvalid("filter", this.token.position, `expected ${expected}, found ${describeToken(this.token)}`);
  }
}

function joined(kind: "and" | "or", operands: readonly FilterNode[]): FilterNode {
  const [first, ...more] = operands;
  return first !== undefined && more.length === 0 ? first : { kind, operands };
}

function describeToken(token: Token): string {
  switch (token.kind) {
    case "end":
      return "the end";
    case "text":
      return `"${token.text}"`;
    case "comparator":
      return `"${token.comparator}"`;
    default:
      return `"${token.kind}"`;
  }
}
