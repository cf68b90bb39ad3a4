/** Turns single records into messages, as lists and watches do. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { notFound } from "../../shared/errors.ts";
import type { ApiContext } from "./context.ts";
import type { ResourceKind } from "./resource-kind.ts";
import { type IdOf, idOfName, nameOf } from "./resource-name.ts";

/** The resource of that name. Throws FIELD_INVALID, RESOURCE_NOT_FOUND. */
export function getResource<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  name: string,
): Promise<MessageShape<S>> {
  const id: IdOf[typeof kind.collection] = idOfName(kind.collection, name);
  return context.engine.read((view) => {
    const record = kind.records(view).get(id);
    if (record === undefined) throw notFound(nameOf(kind.collection, id));
    return kind.converter(view, context.engine.nowMs())(record);
  });
}

/** The record of that id. Throws RESOURCE_NOT_FOUND. */
export function getRecord<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  id: string,
): Promise<R> {
  return context.engine.read((view) => {
    const record = kind.records(view).get(id);
    if (record === undefined) throw notFound(nameOf(kind.collection, id));
    return record;
  });
}

/** A record that an event answered, as a message. */
export function answerRecord<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  record: R,
): Promise<MessageShape<S>> {
  return context.engine.read((view) => kind.converter(view, context.engine.nowMs())(record));
}
