/**
 * The certificates of the pool's own CA: roots, the bridge from an older root to its successor, the server's own, and those of
 * hosts. What is in each stands here and nowhere else.
 */
import { createPublicKey, generateKeyPair, type KeyObject, type webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import type { HostId } from "../../shared/ids.ts";
import { hostUri } from "../../shared/tls/host-name.ts";
import { keyAlgorithm, loadX509, signatureAlgorithm, type X509Library } from "../../shared/tls/x509.ts";
import { rootLifeMs, skewMs } from "./lifetimes.ts";
import { makeSerial } from "./serial.ts";

/** A certificate and its private key. */
export interface KeyedCertificate {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

export async function makeKey(): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: keyAlgorithm.namedCurve });
  return privateKey;
}

/** @param nowMs ms since 1970. */
export async function makeRoot(poolUid: string, nowMs: number): Promise<KeyedCertificate> {
  const x509 = await loadX509();
  const key = await makeKey();
  const serial = makeSerial(nowMs);
  // Each root has a name of its own: two of one name could be taken for each other while one replaces the other.
  const name = `CN=Meridian CA ${serial.slice(0, 12)}, O=Meridian pool ${poolUid}`;
  const certificate = await sign(x509, {
    subject: name,
    issuer: { name, key },
    publicKey: key,
    serial,
    life: { fromMs: nowMs - skewMs, toMs: nowMs + rootLifeMs },
    // One bridge may stand below it.
    extensions: await authorityExtensions(x509, key, 1),
  });
  return { certificate, key };
}

/** Says for the older root that the newer one is to be trusted: whoever knows only the older one accepts what the newer signs. */
export async function makeBridge(older: KeyedCertificate, newer: KeyedCertificate): Promise<X509Certificate> {
  const x509 = await loadX509();
  const { certificate } = newer;
  return await sign(x509, {
    subject: nameOf(x509, certificate),
    issuer: { name: nameOf(x509, older.certificate), key: older.key },
    publicKey: newer.key,
    serial: makeSerial(certificate.validFromDate.getTime()),
    life: { fromMs: certificate.validFromDate.getTime(), toMs: older.certificate.validToDate.getTime() },
    extensions: await authorityExtensions(x509, newer.key, 0),
  });
}

/** @param names host names and addresses by which clients and agents reach the server. */
export async function makeServerCertificate(
  root: KeyedCertificate,
  names: readonly string[],
  { nowMs, lifeMs }: { readonly nowMs: number; readonly lifeMs: number },
): Promise<KeyedCertificate> {
  const x509 = await loadX509();
  const key = await makeKey();
  const certificate = await sign(x509, {
    subject: "CN=Meridian server",
    issuer: { name: nameOf(x509, root.certificate), key: root.key },
    publicKey: key,
    serial: makeSerial(nowMs),
    life: within(root, { fromMs: nowMs - skewMs, toMs: nowMs + lifeMs }),
    extensions: [
      ...leafExtensions(x509, x509.ExtendedKeyUsage.serverAuth),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value })),
      ),
    ],
  });
  return { certificate, key };
}

export interface HostCertificateOptions {
  readonly poolUid: string;
  readonly host: HostId;
  readonly publicKey: KeyObject;
  /** The pool's time; it stands in the serial number too, which is how a revocation knows older certificates. */
  readonly nowMs: number;
  readonly lifeMs: number;
}

export async function makeHostCertificate(
  root: KeyedCertificate,
  { poolUid, host, publicKey, nowMs, lifeMs }: HostCertificateOptions,
): Promise<X509Certificate> {
  const x509 = await loadX509();
  return await sign(x509, {
    subject: `CN=${host}`,
    issuer: { name: nameOf(x509, root.certificate), key: root.key },
    publicKey,
    serial: makeSerial(nowMs),
    life: within(root, { fromMs: nowMs - skewMs, toMs: nowMs + lifeMs }),
    extensions: [
      ...leafExtensions(x509, x509.ExtendedKeyUsage.clientAuth),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: hostUri(poolUid, host) }]),
    ],
  });
}

interface Content {
  readonly subject: string;
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  /** A private key stands for its public half. */
  readonly publicKey: KeyObject;
  readonly serial: string;
  readonly life: Life;
  readonly extensions: InstanceType<X509Library["Extension"]>[];
}

interface Life {
  readonly fromMs: number;
  readonly toMs: number;
}

async function sign(x509: X509Library, content: Content): Promise<X509Certificate> {
  const { subject, issuer, publicKey, serial, life, extensions } = content;
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.name,
    publicKey: cryptoKeyOf(publicKey),
    signingKey: issuer.key.toCryptoKey(keyAlgorithm, true, ["sign"]),
    signingAlgorithm: { ...keyAlgorithm, ...signatureAlgorithm },
    serialNumber: serial,
    notBefore: new Date(life.fromMs),
    notAfter: new Date(life.toMs),
    extensions,
  });
  return new X509Certificate(Buffer.from(made.rawData));
}

/** No certificate outlives its root: it would be refused from then on, without a word before. */
function within(root: KeyedCertificate, { fromMs, toMs }: Life): Life {
  return { fromMs, toMs: Math.min(toMs, root.certificate.validToDate.getTime()) };
}

function nameOf(x509: X509Library, certificate: X509Certificate): string {
  return new x509.X509Certificate(certificate.raw).subject;
}

function cryptoKeyOf(key: KeyObject): webcrypto.CryptoKey {
  return (key.type === "public" ? key : createPublicKey(key)).toCryptoKey(keyAlgorithm, true, ["verify"]);
}

async function authorityExtensions(
  x509: X509Library,
  key: KeyObject,
  pathLength: number,
): Promise<Content["extensions"]> {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(cryptoKeyOf(key)),
  ];
}

function leafExtensions(x509: X509Library, usage: string): Content["extensions"] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
  ];
}
