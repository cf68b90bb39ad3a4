/** CatalogService. */
import { create } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import {
  CatalogService,
  type CreateCatalogRequest,
  type UpdateCatalogRequest,
} from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { type Catalog, CatalogSpecSchema } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import { asCatalogId } from "../../../shared/ids.ts";
import type { CatalogRecord } from "../../pool/template.ts";
import { getRecord, getResource } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readCatalogSpec, toCatalog, toCatalogSpec } from "../convert/catalog.ts";
import { FieldChecks } from "../field-checks.ts";
import { listResources } from "../list/list.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { catalogKind } from "../resource-kind.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { applyUpdateMask } from "../update-mask.ts";

export function catalogService(context: ApiContext): ServiceBinding {
  const answer = async (record: Promise<CatalogRecord>): Promise<{ readonly catalog: Catalog }> => ({
    catalog: toCatalog(await record),
  });
  return bindService(CatalogService, {
    createCatalog: async (request) => answer(createCatalog(context, request)),
    getCatalog: async (request) => ({ catalog: await getResource(context, catalogKind, request.name) }),
    listCatalogs: async (request) => {
      const { resources, ...page } = await listResources(context, catalogKind, request);
      return { catalogs: resources, ...page };
    },
    updateCatalog: async (request) => answer(updateCatalog(context, request)),
    deleteCatalog: async (request) => {
      const id = idOfName("catalogs", request.name);
      const etag = readEtag(request.etag);
      await context.engine.submit({ type: "catalog-delete", id, ...(etag === undefined ? {} : { etag }) });
      return {};
    },
  });
}

async function createCatalog(context: ApiContext, request: CreateCatalogRequest): Promise<CatalogRecord> {
  const requestId = readRequestId(request.requestId);
  const { catalogId } = request;
  const id =
    catalogId === "" ? asCatalogId(`catalog-${context.ids.suffix(10)}`) : chosenId("catalogs", catalogId, "catalog_id");
  if (request.catalog?.spec === undefined) throw fieldInvalid("catalog.spec", "must be set");
  const checks = new FieldChecks();
  const spec = readCatalogSpec(checks, { path: "catalog.spec", value: request.catalog.spec });
  checks.finish();
  const key = requestKeyOf("CreateCatalog", requestId, { catalogId, spec });
  return context.engine.submit({ type: "catalog-create", id, uid: context.ids.uid(), spec, ...key });
}

function updateCatalog(context: ApiContext, request: UpdateCatalogRequest): Promise<CatalogRecord> {
  const { catalog: wanted, updateMask: mask } = request;
  const id = idOfName("catalogs", wanted?.name ?? "", "catalog.name");
  const etag = readEtag(wanted?.etag ?? "", "catalog.etag");
  return changeUntilDone(etag, async () => {
    const catalog = await getRecord(context, catalogKind, id);
    const message = applyUpdateMask({
      path: "catalog.spec",
      schema: CatalogSpecSchema,
      current: create(CatalogSpecSchema, toCatalogSpec(catalog.spec, "with")),
      wanted: wanted?.spec,
      mask,
      outputOnly: ["has_credentials"],
    });
    const checks = new FieldChecks();
    const spec = readCatalogSpec(checks, { path: "catalog.spec", value: message });
    checks.finish();
    return context.engine.submit({
      type: "catalog-update",
      id,
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: catalog.generation,
      spec,
    });
  });
}
