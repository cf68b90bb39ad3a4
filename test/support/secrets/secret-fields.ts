/** Which fields of the public API hold secrets: those that are marked with `debug_redact`, and those that look so. */
import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { guardedServices } from "../../../server/access/permissions.ts";

/** The full names of the marked fields, sorted. */
export function markedFields(): readonly string[] {
  return apiFields()
    .filter(({ proto }) => proto.options?.debugRedact === true)
    .map(fullName)
    .sort();
}

/** Fields that are not marked and are called as secrets are. */
export function suspectFields(): readonly string[] {
  return apiFields()
    .filter(({ proto }) => proto.options?.debugRedact !== true)
    .filter(({ name }) => /password|secret|token|credential|api_?key|private|^env$/.test(name))
    .map(fullName)
    .sort();
}

/** Every unary method of the API. */
export function unaryMethods(): readonly DescMethod[] {
  return guardedServices.flatMap(({ methods }) => methods.filter(({ methodKind }) => methodKind === "unary"));
}

function fullName(field: DescField): string {
  return `${field.parent.typeName}.${field.name}`;
}

/** All fields that any request or answer can have. */
function apiFields(): readonly DescField[] {
  const known = new Set<DescMessage>();
  const visit = (message: DescMessage): void => {
    if (known.has(message) || !message.typeName.startsWith("meridian.")) return;
    known.add(message);
    for (const { message: inner } of message.fields) if (inner !== undefined) visit(inner);
  };
  for (const { methods } of guardedServices) {
    for (const { input, output } of methods) {
      visit(input);
      visit(output);
    }
  }
  return [...known].flatMap(({ fields }) => fields);
}
