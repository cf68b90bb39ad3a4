/** A host's private key, and the request that asks for a certificate of it. */
import { createPrivateKey, createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { keyAlgorithm, loadX509, signatureAlgorithm } from "../../shared/tls/x509.ts";

/** In PEM. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: keyAlgorithm.namedCurve });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** PKCS #10, in DER. The server looks at nothing in it but the key. */
export async function makeCertificateRequest(key: string): Promise<Buffer> {
  const x509 = await loadX509();
  const privateKey = createPrivateKey(key);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=Meridian host",
    keys: {
      privateKey: privateKey.toCryptoKey(keyAlgorithm, true, ["sign"]),
      publicKey: createPublicKey(privateKey).toCryptoKey(keyAlgorithm, true, ["verify"]),
    },
    signingAlgorithm: { ...keyAlgorithm, ...signatureAlgorithm },
  });
  return Buffer.from(request.rawData);
}
