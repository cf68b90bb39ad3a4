/**
 * The shape of a record, as data: what TypeScript knows of its type and forgets when it runs. A shape is written beside the
 * type and the compiler holds them together, so that no field comes, goes or changes without the shape. It can be stored with
 * a release, and held against records, and records can be made of it.
 *
 * A field that may be absent has a "?" at the end of its name, a list is `[shape]`, a map `{ map: shape }`, one of several
 * words `{ words: { …: 1 } }`, and a union told apart by its `kind` is `{ kinds: { …: fields } }`.
 */
import * as fc from "fast-check";

/** What a shape of `T` must look like. */
export type ShapeOf<T> = ShapeOfPresent<Exclude<T, undefined>>;

type ShapeOfPresent<T> = [T] extends [boolean]
  ? "boolean"
  : [T] extends [number]
    ? "number"
    : [T] extends [string]
      ? ShapeOfText<T>
      : [T] extends [readonly (infer Element)[]]
        ? readonly [ShapeOf<Element>]
        : string extends keyof T
          ? { readonly map: ShapeOf<T[keyof T]> }
          : IsUnion<T> extends true
            ? ShapeOfUnion<T>
            : ShapeOfFields<T>;

/** Ids are texts of any content, the branded ones too: an object with them as its keys may be empty. */
type ShapeOfText<T extends string> =
  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- the empty object is what is asked about
  Record<never, 1> extends Record<T, 1> ? "string" : { readonly words: { readonly [Word in T]: 1 } };

type ShapeOfUnion<T> = T extends { readonly kind: string }
  ? {
      readonly kinds: {
        readonly [Kind in KindOf<T>]: ShapeOfFields<Omit<Extract<T, { readonly kind: Kind }>, "kind">>;
      };
    }
  : never;

type KindOf<T> = T extends { readonly kind: infer Kind extends string } ? Kind : never;

type ShapeOfFields<T> = {
  readonly [Key in keyof T & string as object extends Pick<T, Key> ? `${Key}?` : Key]: ShapeOf<T[Key]>;
};

type IsUnion<T, Whole = T> = T extends unknown ? ([Whole] extends [T] ? false : true) : never;

/** Any shape, as it is stored. */
export type Shape = "boolean" | "number" | "string" | readonly [Shape] | ShapeFields;

export interface ShapeFields {
  readonly [field: string]: Shape | 1;
}

/** What the value has that a value of the shape has not, or the other way round; empty if it is one. */
export function differences(shape: Shape, value: unknown, path: string): readonly string[] {
  if (typeof shape === "string") return typeof value === shape ? [] : [`${path} is no ${shape}`];
  if (isList(shape)) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((element) => differences(shape[0], element, `${path}[]`));
  }
  const { words, map, kinds } = shape;
  if (words !== undefined)
    return isWord(words, value) ? [] : [`${path} is none of its words: ${JSON.stringify(value)}`];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path} is no object`];
  const fields = new Map<string, unknown>(Object.entries(value));
  if (map !== undefined) {
    return [...fields.values()].flatMap((element) => differences(shapeAt(map), element, `${path}{}`));
  }
  if (kinds === undefined) return differentFields(shape, fields, path);
  const kind = fields.get("kind");
  if (!isWord(kinds, kind)) return [`${path} is of an unknown kind: ${JSON.stringify(kind)}`];
  fields.delete("kind");
  return differentFields(fieldsAt(fieldsAt(kinds)[String(kind)]), fields, `${path}<${String(kind)}>`);
}

/** Values of the shape: with and without what may be absent, every word, every kind. */
export function valuesOf(shape: Shape): fc.Arbitrary<unknown> {
  if (shape === "boolean") return fc.boolean();
  if (shape === "number") return fc.nat();
  if (shape === "string") return fc.string();
  if (isList(shape)) return fc.array(valuesOf(shape[0]), { maxLength: 2 });
  const { words, map, kinds } = shape;
  if (words !== undefined) return fc.constantFrom(...Object.keys(fieldsAt(words)));
  if (map !== undefined)
    return fc.dictionary(fc.string(), valuesOf(shapeAt(map)), { maxKeys: 2, noNullPrototype: true });
  if (kinds === undefined) return fieldValues(shape, {});
  return fc.oneof(...Object.entries(fieldsAt(kinds)).map(([kind, fields]) => fieldValues(fieldsAt(fields), { kind })));
}

/**
 * What values of the newer shape can do that is new to the older one, by path: have a field, a word, a kind, or be without a
 * field. (What the older one has otherwise, or the newer one no more, shows when values of it are held against the newer.)
 */
export function additions(older: Shape, newer: Shape, path: string): readonly string[] {
  if (typeof older === "string" || typeof newer === "string") return [];
  if (isList(older) || isList(newer)) {
    return isList(older) && isList(newer) ? additions(older[0], newer[0], `${path}[]`) : [];
  }
  return Object.entries(newer).flatMap(([field, inner]): readonly string[] => {
    const name = field.replace(/\?$/, "");
    const at = structural.includes(field) ? path : `${path}.${name}`;
    const before = older[field] ?? older[`${name}?`];
    // What was always there and may now be absent is as new to the older one.
    if (before === undefined) return [at];
    return inner === 1 || before === 1 ? [] : additions(before, inner, at);
  });
}

const structural: readonly string[] = ["words", "map", "kinds"];

function differentFields(shape: ShapeFields, fields: ReadonlyMap<string, unknown>, path: string): readonly string[] {
  const known = Object.entries(shape).map(([field, inner]) => ({
    name: field.replace(/\?$/, ""),
    isOptional: field.endsWith("?"),
    inner: shapeAt(inner),
  }));
  const unknown = [...fields.keys()].filter((name) => !known.some((field) => field.name === name));
  return [
    ...unknown.map((name) => `${path}.${name} is unknown`),
    ...known.flatMap(({ name, isOptional, inner }): readonly string[] => {
      if (fields.has(name)) return differences(inner, fields.get(name), `${path}.${name}`);
      return isOptional ? [] : [`${path}.${name} is missing`];
    }),
  ];
}

function fieldValues(shape: ShapeFields, fixed: Readonly<Record<string, string>>): fc.Arbitrary<unknown> {
  const values: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [field, inner] of Object.entries(shape)) values[field.replace(/\?$/, "")] = valuesOf(shapeAt(inner));
  const requiredKeys = Object.keys(shape).filter((field) => !field.endsWith("?"));
  const record: fc.Arbitrary<object> = fc.record(values, { requiredKeys, noNullPrototype: true });
  return record.map((fields) => ({ ...fixed, ...fields }));
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isWord(words: Shape | 1, value: unknown): boolean {
  return typeof value === "string" && Object.hasOwn(fieldsAt(words), value);
}

function shapeAt(inner: Shape | 1 | undefined): Shape {
  if (inner === undefined || inner === 1) throw new Error("a shape has a word where a shape should be");
  return inner;
}

function fieldsAt(inner: Shape | 1 | undefined): ShapeFields {
  const shape = shapeAt(inner);
  if (typeof shape === "string" || isList(shape)) throw new Error("a shape has no fields where it should have some");
  return shape;
}
