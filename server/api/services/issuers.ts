/** AccessService: issuers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import type {
  CreateIssuerRequest,
  ExplainIssuerRequest,
  ExplainIssuerResponseSchema,
  UpdateIssuerRequest,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { IssuerSpecSchema } from "../../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { asIssuerId } from "../../../shared/ids.ts";
import type { Claims } from "../../access/oidc/claim-rule.ts";
import { explainClaims } from "../../access/oidc/explanation.ts";
import type { IssuerRecord } from "../../pool/issuer.ts";
import { getRecord } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readIssuerSpec, toIssuerRule, toIssuerSpec } from "../convert/issuer.ts";
import { toRoleBinding } from "../convert/service-account.ts";
import { FieldChecks } from "../field-checks.ts";
import { claimsLengthMax } from "../limits.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { issuerKind } from "../resource-kind.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import { applyUpdateMask } from "../update-mask.ts";

export function createIssuer(context: ApiContext, request: CreateIssuerRequest): Promise<IssuerRecord> {
  const requestId = readRequestId(request.requestId);
  const { issuerId } = request;
  const id =
    issuerId === "" ? asIssuerId(`issuer-${context.ids.suffix(10)}`) : chosenId("issuers", issuerId, "issuer_id");
  if (request.issuer?.spec === undefined) throw fieldInvalid("issuer.spec", "must be set");
  const checks = new FieldChecks();
  const spec = readIssuerSpec(checks, { path: "issuer.spec", value: request.issuer.spec });
  checks.finish();
  const key = requestKeyOf("CreateIssuer", requestId, { issuerId, spec });
  return context.engine.submit({ type: "issuer-create", id, uid: context.ids.uid(), spec, ...key });
}

export function updateIssuer(context: ApiContext, request: UpdateIssuerRequest): Promise<IssuerRecord> {
  const { issuer: wanted, updateMask: mask } = request;
  const id = idOfName("issuers", wanted?.name ?? "", "issuer.name");
  const etag = readEtag(wanted?.etag ?? "", "issuer.etag");
  return changeUntilDone(etag, async () => {
    const issuer = await getRecord(context, issuerKind, id);
    const message = applyUpdateMask({
      path: "issuer.spec",
      schema: IssuerSpecSchema,
      current: create(IssuerSpecSchema, toIssuerSpec(issuer.spec)),
      wanted: wanted?.spec,
      mask,
    });
    const checks = new FieldChecks();
    const spec = readIssuerSpec(checks, { path: "issuer.spec", value: message });
    checks.finish();
    return context.engine.submit({
      type: "issuer-update",
      id,
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: issuer.generation,
      spec,
    });
  });
}

export async function deleteIssuer(
  { engine }: ApiContext,
  request: { readonly name: string; readonly etag: string },
): Promise<void> {
  const id = idOfName("issuers", request.name);
  const etag = readEtag(request.etag);
  await engine.submit({ type: "issuer-delete", id, ...(etag === undefined ? {} : { etag }) });
}

export async function explainIssuer(
  context: ApiContext,
  { name, claimsJson }: ExplainIssuerRequest,
): Promise<MessageInitShape<typeof ExplainIssuerResponseSchema>> {
  const id = idOfName("issuers", name);
  const claims = readClaims(claimsJson);
  const { spec } = await getRecord(context, issuerKind, id);
  const { rules, problems, principal, bindings } = explainClaims({ id, spec, claims, nowMs: context.engine.nowMs() });
  return {
    rules: rules.map(({ rule, holds, problem = "" }) => ({ rule: toIssuerRule(rule), holds, problem })),
    problems: [...problems],
    principal,
    bindings: bindings.map(toRoleBinding),
  };
}

function readClaims(text: string): Claims {
  if (text.length > claimsLengthMax)
    throw fieldInvalid("claims_json", `must have at most ${claimsLengthMax} characters`);
  if (/^\s*eyJ/.test(text)) throw fieldInvalid("claims_json", "must be the claims alone, not the token");
  let claims: unknown;
  try {
    claims = JSON.parse(text);
  } catch {
    claims = undefined;
  }
  if (typeof claims === "object" && claims !== null && !Array.isArray(claims)) return claims as Claims;
  throw fieldInvalid("claims_json", 'must be a JSON object, such as {"sub": "repo:acme/app:ref:refs/heads/main"}');
}
