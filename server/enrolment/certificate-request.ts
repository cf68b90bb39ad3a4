/** Certificate requests of agents. Only the key in one is looked at, and that whoever sent it has the private half. */
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { fieldInvalid } from "../../shared/errors.ts";
import { loadX509 } from "../../shared/tls/x509.ts";

/** A request with a key on P-256 and no more is a third of it. */
const requestBytesMax = 1024;

export interface RequestedKey {
  readonly publicKey: KeyObject;
  /** SHA-256 of the key, in hex. */
  readonly fingerprint: string;
  /** Throws FIELD_INVALID unless the request was signed with the key's private half. */
  verify(): Promise<void>;
}

/** Throws FIELD_INVALID. */
export async function readCertificateRequest(bytes: Uint8Array): Promise<RequestedKey> {
  if (bytes.length === 0 || bytes.length > requestBytesMax)
    throw invalid(`must have from 1 to ${requestBytesMax} bytes`);
  const x509 = await loadX509();
  try {
    // A copy of its own: the library reads the whole buffer that a view belongs to.
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(bytes));
    const spki = Buffer.from(request.publicKey.rawData);
    const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
    if (publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1")
      throw invalid("must have a key on the curve P-256");
    return {
      publicKey,
      fingerprint: createHash("sha256").update(spki).digest("hex"),
      async verify() {
        const isSigned = await request.verify().catch(() => false);
        if (!isSigned) throw invalid("must be signed with the key that it holds");
      },
    };
  } catch (error) {
    // Whatever the library finds wrong with bytes from outside, they are no request.
    throw error instanceof Error && error.name === "MeridianError"
      ? error
      : invalid("must be a PKCS #10 request in DER");
  }
}

function invalid(description: string): Error {
  return fieldInvalid("certificate_request", description);
}
