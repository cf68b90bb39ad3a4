/** Filters, compiled once for a kind of resource and then asked for each. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { expressionInvalid } from "./expression-error.ts";
import { isPathFault, resolvePath } from "./field-path.ts";
import { parseFilter } from "./parser.ts";
import type { FilterNode, Restriction } from "./syntax.ts";
import { isPresent, makeTest } from "./values.ts";

export type Filter = (resource: Message) => boolean;

/** The filter, or undefined if it lets everything through. Throws EXPRESSION_INVALID. */
export function compileFilter(schema: DescMessage, source: string): Filter | undefined {
  const node = parseFilter(source);
  return node === undefined ? undefined : compile(schema, node);
}

function compile(schema: DescMessage, node: FilterNode): Filter {
  switch (node.kind) {
    case "and": {
      const operands = node.operands.map((operand) => compile(schema, operand));
      return (resource) => operands.every((operand) => operand(resource));
    }
    case "or": {
      const operands = node.operands.map((operand) => compile(schema, operand));
      return (resource) => operands.some((operand) => operand(resource));
    }
    case "not": {
      const operand = compile(schema, node.operand);
      return (resource) => !operand(resource);
    }
    case "restriction":
      return compileRestriction(schema, node);
    case "word":
      return compileSearch(schema, node.text);
    default:
      return node satisfies never;
  }
}

function compileRestriction(schema: DescMessage, node: Restriction): Filter {
  const path = resolvePath(schema, node.path);
  if (isPathFault(path)) throw expressionInvalid("filter", path.position, path.expected);
  const { comparator, value } = node;
  const asksPresence = value.text === "*" && (comparator === ":" || comparator === "=" || comparator === "!=");
  const test = asksPresence ? isPresent : makeTest(path.type, comparator === "!=" ? "=" : comparator, value);
  if (typeof test !== "function") {
    throw expressionInvalid("filter", value.position, `expected ${test.expected}, found "${value.text}"`);
  }
  if (comparator === "!=") return (resource) => !path.values(resource).some(test);
  return (resource) => path.values(resource).some(test);
}

/** A word alone is looked for in the name, and in the keys and values of the labels. */
function compileSearch(schema: DescMessage, text: string): Filter {
  const wanted = text.replaceAll("*", "").toLowerCase();
  const has = (found: unknown): boolean => typeof found === "string" && found.toLowerCase().includes(wanted);
  const name = resolvePath(schema, [{ text: "name", position: 0 }]);
  const labels = resolvePath(
    schema,
    ["spec", "labels"].map((part) => ({ text: part, position: 0 })),
  );
  return (resource) => {
    if (!isPathFault(name) && name.values(resource).some(has)) return true;
    if (isPathFault(labels)) return false;
    return labels
      .values(resource)
      .some((map) => typeof map === "object" && map !== null && Object.entries(map).flat().some(has));
  };
}
