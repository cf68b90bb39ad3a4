/** AccessService: service accounts. */
import { create } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import type {
  CreateServiceAccountRequest,
  UpdateServiceAccountRequest,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { ServiceAccountSpecSchema } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { asServiceAccountId } from "../../../shared/ids.ts";
import type { ServiceAccountRecord } from "../../pool/service-account.ts";
import { getRecord } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readServiceAccountSpec, toServiceAccountSpec } from "../convert/service-account.ts";
import { FieldChecks } from "../field-checks.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { serviceAccountKind } from "../resource-kind.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import { applyUpdateMask } from "../update-mask.ts";

export function createServiceAccount(
  context: ApiContext,
  request: CreateServiceAccountRequest,
): Promise<ServiceAccountRecord> {
  const requestId = readRequestId(request.requestId);
  const { serviceAccountId } = request;
  const id =
    serviceAccountId === ""
      ? asServiceAccountId(`account-${context.ids.suffix(10)}`)
      : chosenId("serviceAccounts", serviceAccountId, "service_account_id");
  if (request.serviceAccount?.spec === undefined) throw fieldInvalid("service_account.spec", "must be set");
  const checks = new FieldChecks();
  const spec = readServiceAccountSpec(checks, { path: "service_account.spec", value: request.serviceAccount.spec });
  checks.finish();
  const key = requestKeyOf("CreateServiceAccount", requestId, { serviceAccountId, spec });
  return context.engine.submit({ type: "service-account-create", id, uid: context.ids.uid(), spec, ...key });
}

export function updateServiceAccount(
  context: ApiContext,
  request: UpdateServiceAccountRequest,
): Promise<ServiceAccountRecord> {
  const { serviceAccount: wanted, updateMask: mask } = request;
  const id = idOfName("serviceAccounts", wanted?.name ?? "", "service_account.name");
  const etag = readEtag(wanted?.etag ?? "", "service_account.etag");
  return changeUntilDone(etag, async () => {
    const account = await getRecord(context, serviceAccountKind, id);
    const message = applyUpdateMask({
      path: "service_account.spec",
      schema: ServiceAccountSpecSchema,
      current: create(ServiceAccountSpecSchema, toServiceAccountSpec(account.spec)),
      wanted: wanted?.spec,
      mask,
    });
    const checks = new FieldChecks();
    const spec = readServiceAccountSpec(checks, { path: "service_account.spec", value: message });
    checks.finish();
    return context.engine.submit({
      type: "service-account-update",
      id,
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: account.generation,
      spec,
    });
  });
}

export async function deleteServiceAccount(
  { engine }: ApiContext,
  request: { readonly name: string; readonly etag: string },
): Promise<void> {
  const id = idOfName("serviceAccounts", request.name);
  const etag = readEtag(request.etag);
  await engine.submit({ type: "service-account-delete", id, ...(etag === undefined ? {} : { etag }) });
}
