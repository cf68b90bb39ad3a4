/**
 * Update masks: which fields of `spec` a request changes. Absent: every field of `spec` that is present. "*" or "spec":
 * all of `spec`. Otherwise paths such as `spec.labels` and `spec.resources.cpu_count`.
 */
import {
  clearField,
  clone,
  create,
  type DescField,
  type DescMessage,
  isFieldSet,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { fieldInvalid, MeridianError } from "../../shared/errors.ts";
import { maskPathsMax } from "./limits.ts";

export interface MaskedUpdate<S extends DescMessage> {
  /** Where the request has its spec, such as "host.spec". */
  readonly path: string;
  /** The schema of `spec`. */
  readonly schema: S;
  /** The spec as it is. */
  readonly current: MessageShape<S>;
  /** The spec of the request. */
  readonly wanted: MessageShape<S> | undefined;
  readonly mask: FieldMask | undefined;
  /** Fields of `spec` that only the server writes: left as they are, and refused when they are named. */
  readonly outputOnly?: readonly string[];
}

/** The spec as the request wants it. Throws EXPRESSION_INVALID, FIELD_INVALID. */
export function applyUpdateMask<S extends DescMessage>(update: MaskedUpdate<S>): MessageShape<S> {
  const { schema, current, wanted, mask } = update;
  const outputOnly = new Set(update.outputOnly ?? []);
  const result = clone(schema, current);
  // Copied even without a spec: a mask that makes no sense is told of first, since no spec would mend it.
  const from = wanted ?? create(schema);
  for (const path of readPaths(schema, from, mask)) {
    const [name = ""] = path;
    if (!outputOnly.has(name)) copyPath(schema, { from, to: result, path, whole: path });
    else if (mask?.paths.includes(`spec.${name}`) === true)
      throw maskInvalid(`spec.${name}`, "is written by the server alone");
  }
  if (wanted === undefined) throw fieldInvalid(update.path, "must be set");
  return result;
}

/** Paths below `spec`, cut at the dots. */
function readPaths(schema: DescMessage, wanted: Message, mask: FieldMask | undefined): string[][] {
  const all = (): string[][] => schema.fields.map((field) => [field.name]);
  if (mask === undefined || mask.paths.length === 0) {
    return schema.fields.filter((field) => isFieldSet(wanted, field)).map((field) => [field.name]);
  }
  if (mask.paths.length > maskPathsMax) throw maskInvalid("", `at most ${maskPathsMax} paths are taken`);
  return mask.paths.flatMap((path) => {
    if (path === "*" || path === "spec") return all();
    const [first, ...rest] = path.split(".");
    if (first !== "spec") throw maskInvalid(path, "only fields of spec can be changed");
    return [rest];
  });
}

function copyPath(
  schema: DescMessage,
  copy: {
    readonly from: Message;
    readonly to: Message;
    readonly path: readonly string[];
    readonly whole: readonly string[];
  },
): void {
  const [name, ...below] = copy.path;
  const field = schema.fields.find((each) => each.name === name);
  const path = `spec.${copy.whole.join(".")}`;
  if (field === undefined) throw maskInvalid(path, `${schema.name} has no field "${name ?? ""}"`);
  if (below.length === 0) {
    copyField(field, copy.from, copy.to);
    return;
  }
  if (field.fieldKind !== "message")
    throw maskInvalid(path, `there is nothing below "${field.name}" that a mask can name`);
  const to = reflect(schema, copy.to);
  // A message that is absent in the request counts as empty there, and begins empty where it was absent so far.
  const from = reflect(schema, copy.from).get(field);
  const target = to.get(field);
  copyPath(field.message, { from: from.message, to: target.message, path: below, whole: copy.whole });
  to.set(field, target);
}

function copyField(field: DescField, from: Message, to: Message): void {
  const source = reflect(field.parent, from);
  if (!source.isSet(field)) clearField(to, field);
  else reflect(field.parent, to).set(field, source.get(field));
}

function maskInvalid(path: string, why: string): MeridianError {
  return new MeridianError("EXPRESSION_INVALID", `update_mask: ${path}${path === "" ? "" : ": "}${why}`, {
    fields: [{ field: "update_mask", description: `${path}: ${why}` }],
    metadata: { path },
  });
}
