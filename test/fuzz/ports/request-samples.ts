/** A request for every unary call of the API, with every field filled in, made from the API's own description. */
import { create, type DescField, type DescMessage, type Message, ScalarType, toJson } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { guardedServices } from "../../../server/access/permissions.ts";

/** How a request is kept in the corpus: as JSON. */
export interface CallInput {
  /** Such as `meridian.v1.VmService/GetVm`. */
  readonly path: string;
  readonly message: unknown;
}

/** Messages within messages, at most: some hold themselves. */
const depthMax = 6;

export function requestSamples(): readonly Uint8Array[] {
  return guardedServices
    .flatMap((service) => service.methods)
    .filter(({ methodKind }) => methodKind === "unary")
    .map((method): CallInput => {
      const message = toJson(method.input, filled(method.input, 0));
      return { path: `${method.parent.typeName}/${method.name}`, message };
    })
    .map((call) => Buffer.from(JSON.stringify(call)));
}

function filled(schema: DescMessage, depth: number): Message {
  const message = create(schema);
  const view = reflect(schema, message);
  for (const field of schema.fields) {
    // Of alternatives the first one.
    if (field.oneof !== undefined && field.oneof.fields[0] !== field) continue;
    if (depth >= depthMax && field.message !== undefined) continue;
    if (field.fieldKind === "list") view.get(field).add(itemOf(field, depth));
    else if (field.fieldKind === "map") view.get(field).set(mapKeyOf(field.mapKey), itemOf(field, depth));
    else view.set(field, itemOf(field, depth));
  }
  return message;
}

function itemOf(field: DescField, depth: number): unknown {
  if (field.message !== undefined) return reflect(field.message, messageOf(field.message, depth));
  if (field.enum !== undefined) return field.enum.values[1]?.number ?? 0;
  return scalarOf(field.scalar, field.name);
}

function messageOf(schema: DescMessage, depth: number): Message {
  // Those that are checked when they are written as JSON.
  if (schema.typeName === DurationSchema.typeName) return create(DurationSchema, { seconds: 90n });
  if (schema.typeName === TimestampSchema.typeName) return create(TimestampSchema, { seconds: 1_800_000_000n });
  if (schema.typeName.startsWith("google.protobuf.")) return create(schema);
  return filled(schema, depth + 1);
}

function mapKeyOf(key: ScalarType): string | number {
  return key === ScalarType.STRING ? "team" : 1;
}

function scalarOf(scalar: ScalarType | undefined, name: string): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return texts[name] ?? "build-1";
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return Buffer.from("0123456789");
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1n;
    default:
      return 1;
  }
}

/** What makes sense in fields of these names, so that not all requests end at the first check. */
const texts: Readonly<Record<string, string>> = {
  name: "vms/build-1",
  template: "templates/linux",
  host: "hosts/mac-1",
  project: "projects/default",
  filter: "status.state = RUNNING",
  order_by: "create_time desc",
  page_token: "",
  etag: "",
  request_id: "0a1b2c3d",
  url: "https://catalog.example.com",
  issuer_url: "https://ci.example.com",
  condition: 'ref == "refs/heads/main"',
};
