/** AccessService: join tokens. The secret is made here, goes into the answer once, and only its digest goes any further. */
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { fieldInvalid } from "../../../shared/errors.ts";
import type {
  CreateJoinTokenRequest,
  CreateJoinTokenResponse,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { asJoinTokenId, type JoinTokenId } from "../../../shared/ids.ts";
import { formatJoinToken, hashSecret } from "../../../shared/tls/join-token.ts";
import type { JoinTokenRecord } from "../../pool/enrolment.ts";
import { readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readJoinTokenSpec, toJoinToken } from "../convert/join-token.ts";
import { FieldChecks } from "../field-checks.ts";
import { joinTokenAddressesMax } from "../limits.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import { securityOf } from "./certificate-authority.ts";

export async function createJoinToken(
  context: ApiContext,
  request: CreateJoinTokenRequest,
): Promise<Pick<CreateJoinTokenResponse, "joinToken" | "token">> {
  const { engine, ids } = context;
  const requestId = readRequestId(request.requestId);
  const { joinTokenId } = request;
  const id = chooseId(context, joinTokenId);
  if (request.joinToken?.spec === undefined) throw fieldInvalid("join_token.spec", "must be set");
  const checks = new FieldChecks();
  const asked = readJoinTokenSpec(checks, { path: "join_token.spec", value: request.joinToken.spec });
  checks.finish();
  const security = securityOf(context);
  const addresses = readAddresses(request.addresses, security.names) ?? security.agentAddresses();
  const key = requestKeyOf("CreateJoinToken", requestId, { joinTokenId, asked, addresses });
  const secret = randomBytes(32).toString("base64url");
  const { ttlMs, ...spec } = asked;
  const uid = ids.uid();
  const record = await engine.submit({
    type: "join-token-create",
    id,
    uid,
    secretHash: hashSecret(secret),
    spec: { ...spec, expireTimeMs: engine.nowMs() + ttlMs },
    ...key,
  });
  const { fingerprint: caFingerprint } = security.authority;
  return {
    joinToken: toJoinToken(record, engine.nowMs()),
    // The secret of a request that came before is known to nobody here.
    token: record.uid === uid ? formatJoinToken({ addresses, caFingerprint, id: record.id, secret }) : "",
  };
}

export function revokeJoinToken(
  { engine }: ApiContext,
  request: { readonly name: string; readonly etag: string },
): Promise<JoinTokenRecord> {
  const etag = readEtag(request.etag);
  const id = idOfName("joinTokens", request.name);
  return engine.submit({ type: "join-token-revoke", id, ...(etag === undefined ? {} : { etag }) });
}

export async function deleteJoinToken(
  { engine }: ApiContext,
  request: { readonly name: string; readonly etag: string },
): Promise<void> {
  const etag = readEtag(request.etag);
  const id = idOfName("joinTokens", request.name);
  await engine.submit({ type: "join-token-delete", id, ...(etag === undefined ? {} : { etag }) });
}

function chooseId({ ids }: ApiContext, joinTokenId: string): JoinTokenId {
  if (joinTokenId === "") return asJoinTokenId(`join-${ids.suffix(10)}`);
  return chosenId("joinTokens", joinTokenId, "join_token_id");
}

function readAddresses(addresses: readonly string[], names: readonly string[]): readonly string[] | undefined {
  if (addresses.length === 0) return undefined;
  const checks = new FieldChecks();
  checks.count("addresses", addresses.length, joinTokenAddressesMax);
  for (const [index, address] of addresses.slice(0, joinTokenAddressesMax).entries()) {
    const path = `addresses[${index}]`;
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]{1,253})):(\d{1,5})$/.exec(address);
    const host = (match?.[1] ?? match?.[2] ?? "").toLowerCase();
    const isAddress = match !== null && Number(match[3]) <= 65_535 && (match[1] === undefined || isIP(host) === 6);
    if (!isAddress) checks.refuse(path, 'must be "host:port"');
    else if (!names.includes(host)) {
      checks.refuse(path, `names ${host}, for which the server has no certificate; start it with --advertise ${host}`);
    }
  }
  checks.finish();
  return addresses;
}
