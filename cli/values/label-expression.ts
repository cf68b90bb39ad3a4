/**
 * Requirements on a host's labels: `key=value` (`key=a,b` for one of several), `key!=value`, `key`, `!key`, `key>8`, `key<8`.
 */
import { create } from "@bufbuild/protobuf";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import {
  type LabelExpression,
  type LabelExpression_Operator,
  LabelExpressionSchema,
  LabelExpression_Operator as Operator,
} from "../../shared/gen/es/meridian/v1/types_pb.ts";

const keyPattern = "[^\\s=!<>,]+";

/** Adds one expression to those before it. */
export function collectLabelExpression(
  text: string,
  previous: readonly LabelExpression[] | undefined,
): readonly LabelExpression[] {
  return [...(previous ?? []), parseLabelExpression(text)];
}

export function parseLabelExpression(text: string): LabelExpression {
  const trimmed = text.trim();
  const compared = new RegExp(`^(${keyPattern})\\s*(!=|==|=|>|<)\\s*(.*)$`).exec(trimmed);
  if (compared) {
    const [, key = "", comparison = "", right = ""] = compared;
    return comparisonOf(key, comparison, right);
  }
  const bare = new RegExp(`^(!?)\\s*(${keyPattern})$`).exec(trimmed);
  if (bare?.[2] === undefined) {
    throw new InvalidArgumentError("Write key=value, key=a,b, key!=value, key, !key, key>8 or key<8.");
  }
  return expression(bare[2], bare[1] === "!" ? Operator.DOES_NOT_EXIST : Operator.EXISTS, []);
}

function comparisonOf(key: string, comparison: string, right: string): LabelExpression {
  if (comparison === ">" || comparison === "<") {
    if (!/^-?\d+$/.test(right)) throw new InvalidArgumentError(`${comparison} compares with a whole number.`);
    return expression(key, comparison === ">" ? Operator.GT : Operator.LT, [right]);
  }
  return expression(key, comparison === "!=" ? Operator.NOT_IN : Operator.IN, right.split(","));
}

function expression(key: string, operator: LabelExpression_Operator, values: string[]): LabelExpression {
  return create(LabelExpressionSchema, { key, operator, values });
}
