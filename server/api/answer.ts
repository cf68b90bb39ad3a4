/** Turns single records into messages, as lists and watches do. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { notFound } from "../../shared/errors.ts";
import type { PoolView } from "../pool/view.ts";
import type { ApiContext } from "./context.ts";
import type { ResourceKind } from "./resource-kind.ts";
import { idOfName, nameOf } from "./resource-name.ts";

/** The resource of that name. Throws FIELD_INVALID, RESOURCE_NOT_FOUND. */
export function getResource<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  name: string,
): Promise<MessageShape<S>> {
  const id = idOfName(kind.collection, name);
  return context.engine.read((view) => {
    const record = findRecord(view, kind, id);
    return kind.converter(view, context.engine.nowMs())(record);
  });
}

/** The record of that id. Throws RESOURCE_NOT_FOUND. */
export function getRecord<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  id: string,
): Promise<R> {
  return context.engine.read((view) => findRecord(view, kind, id));
}

/** A record that an event answered, as a message. */
export function answerRecord<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  record: R,
): Promise<MessageShape<S>> {
  return context.engine.read((view) => kind.converter(view, context.engine.nowMs())(record));
}

function findRecord<R extends { readonly id: string }, S extends DescMessage>(
  view: PoolView,
  kind: ResourceKind<R, S>,
  id: string,
): R {
  const record = kind.records(view).get(id);
  if (record === undefined) throw notFound(nameOf(kind.collection, id));
  return record;
}
