/** Label expressions: requirements on labels, of hosts above all. */
import { assertNever } from "../../shared/assert.ts";

export type LabelOperator = "in" | "not-in" | "exists" | "does-not-exist" | "gt" | "lt";

export interface LabelExpression {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** Whether the labels meet the expression. `gt` and `lt` compare whole numbers; what is no number does not meet them. */
export function matchesLabel(labels: Labels, expression: LabelExpression): boolean {
  const value = labelOf(labels, expression.key);
  switch (expression.operator) {
    case "in":
      return value !== undefined && expression.values.includes(value);
    case "not-in":
      return value === undefined || !expression.values.includes(value);
    case "exists":
      return value !== undefined;
    case "does-not-exist":
      return value === undefined;
    case "gt":
      return compareNumbers(value, expression, (label, bound) => label > bound);
    case "lt":
      return compareNumbers(value, expression, (label, bound) => label < bound);
    default:
      return assertNever(expression.operator, "label operator");
  }
}

/** The value of a label; nothing without it, whatever objects have by nature ("constructor" is a fine key). */
export function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** The expression as people write it, such as `team in (ios, core)`. */
export function describeLabelExpression(expression: LabelExpression): string {
  const { key, values } = expression;
  switch (expression.operator) {
    case "in":
      return values.length === 1 ? `${key} = ${values[0]}` : `${key} in (${values.join(", ")})`;
    case "not-in":
      return values.length === 1 ? `${key} != ${values[0]}` : `${key} not in (${values.join(", ")})`;
    case "exists":
      return `has ${key}`;
    case "does-not-exist":
      return `has no ${key}`;
    case "gt":
      return `${key} > ${values[0]}`;
    case "lt":
      return `${key} < ${values[0]}`;
    default:
      return assertNever(expression.operator, "label operator");
  }
}

function compareNumbers(
  value: string | undefined,
  expression: LabelExpression,
  compare: (label: number, bound: number) => boolean,
): boolean {
  const bound = expression.values[0];
  if (value === undefined || bound === undefined || !isWholeNumber(value) || !isWholeNumber(bound)) return false;
  return compare(Number(value), Number(bound));
}

function isWholeNumber(text: string): boolean {
  return /^-?\d{1,15}$/.test(text);
}
