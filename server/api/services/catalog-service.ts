/** CatalogService. */
import { create } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import {
  CatalogService,
  type CreateCatalogRequest,
  type UpdateCatalogRequest,
} from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { type Catalog, CatalogSpecSchema } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import { asCatalogId, type CatalogId } from "../../../shared/ids.ts";
import type { CatalogCredentials, CatalogRecord, CatalogSpec } from "../../pool/template.ts";
import { openCredentials, sealCredentials } from "../../secrets/catalog-credentials.ts";
import { getRecord, getResource } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { type GivenCatalogSpec, readCatalogSpec, toCatalog, toCatalogSpec } from "../convert/catalog.ts";
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
  // Of the credentials only a digest that needs the key: whoever reads the store must not find them by trying.
  const credentials = context.secrets.box.digest(JSON.stringify(spec.credentials ?? null));
  const key = requestKeyOf("CreateCatalog", requestId, { catalogId, spec: { ...spec, credentials } });
  const uid = context.ids.uid();
  return context.engine.submit({ type: "catalog-create", id, uid, spec: sealed(context, id, spec), ...key });
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
      current: create(CatalogSpecSchema, toCatalogSpec(catalog.spec, opened(context, catalog))),
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
      spec: sealed(context, id, spec),
    });
  });
}

function sealed({ secrets }: ApiContext, id: CatalogId, { credentials, ...spec }: GivenCatalogSpec): CatalogSpec {
  return credentials === undefined ? spec : { ...spec, credentials: sealCredentials(secrets.box, id, credentials) };
}

/** Credentials that cannot be opened can be replaced as a whole, and not in part. */
function opened({ secrets }: ApiContext, catalog: CatalogRecord): CatalogCredentials | undefined {
  const credentials = openCredentials(secrets.box, catalog);
  return credentials === undefined || "fault" in credentials ? undefined : credentials;
}
