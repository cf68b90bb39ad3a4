/** Who is at the other end of a call on the agents' port, by the certificate that it showed and that the handshake verified. */
import type { PeerCertificate } from "node:tls";
import type { HostId } from "../../shared/ids.ts";
import { hostOfNames } from "../../shared/tls/host-name.ts";
import { issueTimeMs } from "../tls/serial.ts";

export interface HostPeer {
  readonly host: HostId;
  /** When its certificate was issued, in the pool's time. */
  readonly issueTimeMs: number;
  /** When its certificate ends, in ms since 1970. */
  readonly expireTimeMs: number;
}

/** The part of a call of grpc-js that tells of its connection. */
export interface PeerCall {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/** Finds out who calls; nothing if it is no host of this pool with a certificate that is good now. */
export type IdentifyPeer = (call: PeerCall) => HostPeer | undefined;

/** @param wallMs the machine's clock. */
export function identifyByCertificate(poolUid: string, wallMs: () => number): IdentifyPeer {
  return (call) => {
    // grpc-js tells of no certificate but one that the handshake has verified against the CAs of the port.
    const certificate = call.getAuthContext().sslPeerCertificate;
    const host = hostOfNames(certificate?.subjectaltname, poolUid);
    if (certificate === undefined || host === undefined) return undefined;
    const expireTimeMs = Date.parse(certificate.valid_to);
    // A connection may have been made, or resumed, from a handshake of long ago. Written so that NaN is refused too.
    if (!(expireTimeMs > wallMs())) return undefined;
    return { host, issueTimeMs: issueTimeMs(certificate.serialNumber), expireTimeMs };
  };
}
