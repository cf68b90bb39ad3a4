/**
 * Conditions over a token's claims, in CEL: read once, when an issuer is written or learnt, and then answered for each token.
 * They run where every other call is waiting, so that only what takes time in proportion to the claims is allowed: no regular
 * expressions, no loop within a loop, nothing that could grow a text.
 */
import { type ASTNode, Environment, type ParseResult } from "@marcbachmann/cel-js";

/** A token's claims, as its payload has them. */
export type Claims = Readonly<Record<string, unknown>>;

export interface RuleOutcome {
  readonly holds: boolean;
  /** Why there is no answer, such as a claim that is not there; the rule does not hold then. */
  readonly problem?: string;
}

export const conditionLengthMax = 1024;

export interface ClaimRule {
  readonly evaluate: (claims: Claims) => RuleOutcome;
}

const environment = new Environment({
  // Which claims there are is known of each token alone.
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 256, maxDepth: 32, maxListElements: 64, maxMapEntries: 16, maxCallArguments: 4 },
});

const loops: ReadonlySet<string> = new Set("all exists exists_one filter map".split(" "));
const functions: ReadonlySet<string> = new Set(
  "has size string int double bool dyn startsWith endsWith contains lowerAscii upperAscii trim split".split(" "),
);

/** The condition, ready to be asked; or what is wrong with it, for whoever wrote it. */
export function readCondition(text: string): ClaimRule | { readonly problem: string } {
  if (text.length > conditionLengthMax) return { problem: `must have at most ${conditionLengthMax} characters` };
  const parsed = parse(text);
  if ("problem" in parsed) return parsed;
  const refused = refusedIn(parsed.ast, false);
  if (refused !== undefined) return { problem: refused };
  const { valid, type, error } = parsed.check();
  if (!valid) return { problem: error === undefined ? "is no expression" : error.summary };
  if (type !== "bool" && type !== "dyn")
    return { problem: `must be true or false, and is of type ${type ?? "unknown"}` };
  return { evaluate: (claims) => evaluate(parsed, claims) };
}

function parse(text: string): ParseResult | { readonly problem: string } {
  try {
    return environment.parse(text);
  } catch (error) {
    return { problem: `is no expression in CEL: ${summaryOf(error)}` };
  }
}

function evaluate(parsed: ParseResult, claims: Claims): RuleOutcome {
  try {
    const value: unknown = parsed(variablesOf(claims));
    if (value === true) return { holds: true };
    if (value === false) return { holds: false };
    return { holds: false, problem: "the answer is neither true nor false" };
  } catch (error) {
    return { holds: false, problem: summaryOf(error) };
  }
}

/** The claims by their names, and all of them in `claims`: by names that CEL does not know, too. */
function variablesOf(claims: Claims): Record<string, unknown> {
  const values = toValues(claims);
  // Without a prototype, since a name in a condition must never mean a property of that.
  const variables: Record<string, unknown> = Object.create(null);
  return Object.assign(variables, values, { claims: values });
}

function toValues(claims: Claims): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(claims)) values[name] = toValue(value);
  return values;
}

/** JSON has one kind of number; whole ones are meant as such. */
function toValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toValue);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, inner]) => [name, toValue(inner)]));
}

/** The first thing in an expression that is not allowed; nothing if there is none. */
function refusedIn(node: ASTNode, isInLoop: boolean): string | undefined {
  const name = node.op === "call" || node.op === "rcall" ? node.args[0] : undefined;
  if (name === "matches") {
    return "matches() is refused, since a regular expression can take for ever; use ==, in, startsWith or endsWith";
  }
  const isLoop = name !== undefined && loops.has(name);
  if (name !== undefined && !isLoop && !functions.has(name)) return `${name}() is not allowed in a condition`;
  if (isLoop && isInLoop) return `${name}() is not allowed within another loop`;
  for (const child of nodesIn(node.args)) {
    const refused = refusedIn(child, isInLoop || isLoop);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

/** What an expression is made of. */
function nodesIn(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return isNode(args) ? [args] : [];
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value;
}

function summaryOf(error: unknown): string {
  if (error instanceof Error)
    return "summary" in error && typeof error.summary === "string" ? error.summary : error.message;
  return String(error);
}
