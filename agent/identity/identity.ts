/** Who a host is to its server: its name, its key and certificate, and the CAs by which it knows the server. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Credentials } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { fingerprintOf } from "../../shared/tls/fingerprint.ts";

export interface Identity {
  readonly hostId: string;
  /** The token that the host enrolled with. */
  readonly joinToken: string;
  /** Where the servers are, each as "host:port". */
  readonly servers: readonly string[];
  /** The private key, in PEM. It is made here and leaves this machine never. */
  readonly key: string;
  /** In PEM. */
  readonly certificate: string;
  /** The CAs to trust, in PEM. */
  readonly ca: readonly string[];
}

/** Where an identity is kept between two runs of the agent. */
export interface IdentityStore {
  /** Nothing: the host has not enrolled. */
  read(): Promise<Identity | undefined>;
  write(identity: Identity): Promise<void>;
  /**
   * The key of an enrolment that is under way: the same again after a restart, since a server whose answer was lost knows
   * the host by it.
   */
  pendingKey(make: () => Promise<string>): Promise<string>;
}

/** An identity that ends with the process. */
export function createVolatileIdentityStore(): IdentityStore {
  let identity: Identity | undefined;
  let pending: Promise<string> | undefined;
  return {
    read: () => Promise.resolve(identity),
    write: (next) => {
      identity = next;
      pending = undefined;
      return Promise.resolve();
    },
    pendingKey: (make) => {
      pending ??= make();
      return pending;
    },
  };
}

/**
 * What the server gave, as PEM, once it is clear that it fits the key: what does not would only fail later, at the next dial.
 * Throws what is wrong as an `Error`.
 */
export function readCredentials(
  { certificate, caCertificates }: Credentials,
  key: string,
): Pick<Identity, "certificate" | "ca"> {
  const own = new X509Certificate(certificate);
  if (!own.checkPrivateKey(createPrivateKey(key))) throw new Error("the server's certificate is for another key");
  const roots = caCertificates.map((bytes) => new X509Certificate(bytes));
  if (!roots.some((root) => own.verify(root.publicKey)))
    throw new Error("the server's certificate is of no CA that it names");
  return { certificate: own.toString(), ca: roots.map((root) => root.toString()) };
}

export function caFingerprints({ ca }: Pick<Identity, "ca">): readonly string[] {
  return ca.map((pem) => fingerprintOf(new X509Certificate(pem)));
}
