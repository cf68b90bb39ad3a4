/** AccessService: the pool's CA, and its rotation. */

import type { X509Certificate } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { MeridianError } from "../../../shared/errors.ts";
import type {
  CertificateAuthoritySchema,
  CertificateRootSchema,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { fingerprintOf } from "../../../shared/tls/fingerprint.ts";
import { liveCertificate } from "../../pool/enrolment.ts";
import type { PoolView } from "../../pool/view.ts";
import type { ApiContext, ApiSecurity } from "../context.ts";
import { toTimestamp } from "../convert/time.ts";
import { pendingHostsMax } from "../limits.ts";
import { nameOf } from "../resource-name.ts";

/** Throws STATE_NOT_ALLOWED on a server that is insecure. */
export function securityOf({ security }: ApiContext): ApiSecurity {
  if (security !== undefined) return security;
  throw new MeridianError(
    "STATE_NOT_ALLOWED",
    "the server is insecure: it has no CA, and hosts need neither tokens nor certificates; start it without --insecure",
    { metadata: { state: "INSECURE" } },
  );
}

export async function getAuthority(context: ApiContext): Promise<MessageInitShape<typeof CertificateAuthoritySchema>> {
  const { authority } = securityOf(context);
  const pending = await pendingHosts(context);
  const { previous, retiredTimeMs } = authority;
  return {
    current: toRoot(authority.current),
    ...(previous !== undefined && { previous: toRoot(previous) }),
    ...(retiredTimeMs !== undefined && { rotateTime: toTimestamp(retiredTimeMs) }),
    pendingHosts: pending.slice(0, pendingHostsMax),
    pendingHostCount: pending.length,
  };
}

export async function rotateAuthority(
  context: ApiContext,
): Promise<MessageInitShape<typeof CertificateAuthoritySchema>> {
  await securityOf(context).authority.rotate();
  return await getAuthority(context);
}

export async function finishRotation(
  context: ApiContext,
  isForced: boolean,
): Promise<MessageInitShape<typeof CertificateAuthoritySchema>> {
  const { authority } = securityOf(context);
  const pending = await pendingHosts(context);
  if (authority.previous !== undefined && pending.length > 0 && !isForced) {
    throw new MeridianError(
      "RESOURCE_IN_USE",
      `${pending.length} hosts have no certificate of the new CA yet, ${pending[0]} for one; they get one when they are ` +
        "connected. Forced, those that are away have to enrol anew",
      { metadata: { count: String(pending.length), host: pending[0] ?? "" } },
    );
  }
  await authority.finishRotation();
  return await getAuthority(context);
}

/** Hosts whose newest certificate is not of the CA that signs now. */
function pendingHosts(context: ApiContext): Promise<readonly string[]> {
  const { authority } = securityOf(context);
  const read = ({ credentials }: PoolView): readonly string[] => {
    const { fingerprint } = authority;
    const nowMs = context.engine.nowMs();
    return [...credentials.values()].flatMap((credential) => {
      const live = liveCertificate(credential, nowMs);
      return live === undefined || live.caFingerprint === fingerprint ? [] : [nameOf("hosts", credential.id)];
    });
  };
  return context.engine.read(read);
}

function toRoot(certificate: X509Certificate): MessageInitShape<typeof CertificateRootSchema> {
  return {
    certificatePem: certificate.toString(),
    fingerprint: fingerprintOf(certificate),
    expireTime: toTimestamp(certificate.validToDate.getTime()),
  };
}
