/** AccessService: tokens of service accounts. The secret is made here, goes into the answer once, and only its digest goes any further. */
import { randomBytes } from "node:crypto";
import { digestSecret, formatClientToken } from "../../../shared/client-token.ts";
import { fieldInvalid } from "../../../shared/errors.ts";
import type { CreateTokenRequest, CreateTokenResponse } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { asTokenId } from "../../../shared/ids.ts";
import { readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readDuration } from "../convert/time.ts";
import { readTokenSpec, toToken } from "../convert/token.ts";
import { FieldChecks } from "../field-checks.ts";
import { tokenOverlapMs } from "../limits.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { idOfName } from "../resource-name.ts";

export async function createToken(
  { engine, ids }: ApiContext,
  request: CreateTokenRequest,
): Promise<Pick<CreateTokenResponse, "token" | "secret">> {
  const requestId = readRequestId(request.requestId);
  if (request.token?.spec === undefined) throw fieldInvalid("token.spec", "must be set");
  const checks = new FieldChecks();
  const asked = readTokenSpec(checks, { path: "token.spec", value: request.token.spec });
  const othersEndInMs = readDuration(
    checks,
    { path: "others_end_in", value: request.othersEndIn },
    { least: 0, most: tokenOverlapMs },
  );
  checks.finish();
  const secret = randomBytes(32).toString("base64url");
  const uid = ids.uid();
  const record = await engine.submit({
    type: "token-create",
    id: asTokenId(`token-${ids.suffix(10)}`),
    uid,
    ...asked,
    digest: digestSecret(secret),
    ...(othersEndInMs === undefined ? {} : { othersEndInMs }),
    ...requestKeyOf("CreateToken", requestId, { ...asked, othersEndInMs }),
  });
  return {
    token: toToken(record, engine.nowMs()),
    // The secret of a request that came before is known to nobody here.
    secret: record.uid === uid ? formatClientToken({ id: record.id, secret }) : "",
  };
}

export async function revokeToken(
  { engine }: ApiContext,
  request: { readonly name: string; readonly etag: string },
): Promise<void> {
  const id = idOfName("tokens", request.name);
  const etag = readEtag(request.etag);
  await engine.submit({ type: "token-revoke", id, ...(etag === undefined ? {} : { etag }) });
}
