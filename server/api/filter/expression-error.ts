/** What is wrong with a filter or an order: where, and what was expected there. */
import { MeridianError } from "../../../shared/errors.ts";

/** @param position of the character, from 0; told from 1. */
export function expressionInvalid(field: "filter" | "order_by", position: number, expected: string): MeridianError {
  return new MeridianError("EXPRESSION_INVALID", `${field}, character ${position + 1}: ${expected}`, {
    fields: [{ field, description: `character ${position + 1}: ${expected}` }],
    metadata: { field, position: String(position + 1), expected },
  });
}
