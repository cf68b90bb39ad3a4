/** How a session can end: what the agent is told, and what the log says. */
import { status } from "@grpc/grpc-js";
import type { HostId } from "../../shared/ids.ts";
import { hostIdTakenRetryMs, protocolVersion, revokedRetryMs, unservedRetryMs } from "./limits.ts";

export interface Ending {
  /** One CamelCase word, for the log and the agent. */
  readonly reason: string;
  /** A sentence for the agent. */
  readonly message: string;
  /** The stream's last words. "reset": none, the peer does not read. */
  readonly farewell:
    | { readonly kind: "goodbye"; readonly retryAfterMs: number }
    | { readonly kind: "status"; readonly code: status }
    | { readonly kind: "reset" };
  /** Whether the pool is not told that the host has gone: a newer session has it, or the server itself is leaving. */
  readonly isQuiet?: boolean;
}

/** The agent left by itself, or its stream broke off: there is nobody to tell. */
export function gone(reason: "AgentLeft" | "StreamBroken", message: string): Ending {
  return { reason, message, farewell: { kind: "status", code: status.OK } };
}

export function invalidMessage(message: string): Ending {
  return { reason: "InvalidMessage", message, farewell: { kind: "status", code: status.INVALID_ARGUMENT } };
}

export function helloMissing(): Ending {
  return {
    reason: "HelloMissing",
    message: "no Hello came in time",
    farewell: { kind: "status", code: status.DEADLINE_EXCEEDED },
  };
}

export function silent(silentMs: number): Ending {
  return {
    reason: "Silent",
    message: `nothing was heard for ${Math.round(silentMs / 1000)} s`,
    farewell: { kind: "status", code: status.DEADLINE_EXCEEDED },
  };
}

export function tooSlow(): Ending {
  return { reason: "TooSlow", message: "the agent does not read what is sent", farewell: { kind: "reset" } };
}

export function notServing(message: string): Ending {
  return { reason: "NotServing", message, farewell: { kind: "status", code: status.UNAVAILABLE } };
}

export function refused(message: string): Ending {
  return { reason: "Refused", message, farewell: { kind: "status", code: status.FAILED_PRECONDITION } };
}

export function certificateMissing(): Ending {
  return {
    reason: "CertificateMissing",
    message:
      "no certificate was shown that is good now and of this pool: it has expired, or the CA is another, or the agent has " +
      "not enrolled; start it with a join token",
    farewell: { kind: "status", code: status.UNAUTHENTICATED },
  };
}

export function hostMismatch(certified: HostId, claimed: HostId): Ending {
  return {
    reason: "HostMismatch",
    message: `the certificate is that of hosts/${certified}, and speaks for no other host, ${claimed} included`,
    farewell: { kind: "status", code: status.PERMISSION_DENIED },
  };
}

/** The host may come back once it is enrolled again; until then its agent goes on with its leases and asks now and then. */
export function hostRevoked(host: HostId): Ending {
  return {
    reason: "HostRevoked",
    message: `the certificates of hosts/${host} were revoked; if this Mac is to come back, enrol it with a new join token`,
    farewell: { kind: "goodbye", retryAfterMs: revokedRetryMs },
  };
}

/** The agent has had a newer one for long, or it could not renew it. */
export function certificateEnded(): Ending {
  return {
    reason: "CertificateEnded",
    message: "the certificate that the session was opened with has ended",
    farewell: { kind: "goodbye", retryAfterMs: 0 },
  };
}

export function tooManyStreams(): Ending {
  return {
    reason: "TooManyStreams",
    message: "this server has as many streams as it can hold",
    farewell: { kind: "status", code: status.RESOURCE_EXHAUSTED },
  };
}

export function unservedProtocol(version: number): Ending {
  return {
    reason: "ProtocolVersion",
    message: `the agent speaks version ${version} of the protocol and this server version ${protocolVersion}; upgrade the older one`,
    farewell: { kind: "goodbye", retryAfterMs: unservedRetryMs },
  };
}

/**
 * The Hello was held up in the network, and its agent has dialled again since. So nobody reads this; but an agent whose count was
 * set back does, and begins a new one.
 */
export function helloOutdated(): Ending {
  return {
    reason: "HelloOutdated",
    message: "a newer Hello of this agent came before this one",
    farewell: { kind: "goodbye", retryAfterMs: 0 },
    isQuiet: true,
  };
}

/**
 * A newer session of the same Mac has taken over. Another process of the agent must not come back, or the two would take
 * turns for ever (-1); of the same process, this is a stream that it has given up itself (0).
 */
export function superseded(retryAfterMs: 0 | -1): Ending {
  return {
    reason: "Superseded",
    message: "a newer session of this host has taken over",
    farewell: { kind: "goodbye", retryAfterMs },
    isQuiet: true,
  };
}

export function hostIdTaken(host: HostId): Ending {
  return {
    reason: "HostIdTaken",
    message:
      `another Mac is connected as hosts/${host}; give this agent a host id of its own, or stop the agent there if this Mac ` +
      "takes its place",
    farewell: { kind: "goodbye", retryAfterMs: hostIdTakenRetryMs },
  };
}

/** Another Mac would have to show VMs that stand on the first one. */
export function hostHasVms(host: HostId): Ending {
  return {
    reason: "HostIdTaken",
    message:
      `VMs of the pool stand on the Mac that was hosts/${host} so far, and this is another one; give this agent a host id of its ` +
      "own, or remove the host by force if that Mac will not come back",
    farewell: { kind: "goodbye", retryAfterMs: hostIdTakenRetryMs },
    isQuiet: true,
  };
}

export function hostDeleted(host: HostId): Ending {
  return {
    reason: "HostDeleted",
    message: `hosts/${host} was deleted; start the agent again to enrol the Mac anew`,
    farewell: { kind: "goodbye", retryAfterMs: -1 },
    isQuiet: true,
  };
}

/**
 * The server is leaving. The pool is not told that its hosts have gone, since they have not: after the restart each has time
 * to come back before its VMs become UNKNOWN.
 */
export function serverLeaving(reason: string): Ending {
  return { reason: "ShuttingDown", message: reason, farewell: { kind: "goodbye", retryAfterMs: 0 }, isQuiet: true };
}
