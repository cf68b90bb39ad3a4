/**
 * Enrolment: from a join token to an identity. The CA is fetched by the fingerprint in the token, everything after that is
 * said over a connection that is checked against it. Servers that are away are asked again; what a server refuses is final.
 */
import { type ServiceError, status } from "@grpc/grpc-js";
import { type Clock, sleep } from "../../shared/clock.ts";
import type { Credentials } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import type { JoinTokenContent } from "../../shared/tls/join-token.ts";
import { fetchPinnedCa, PinFailed } from "../../shared/tls/pinned-ca.ts";
import { Backoff, defaultBackoffTuning } from "../link/backoff.ts";
import { callEnrol } from "./certificate-calls.ts";
import { type Identity, type IdentityStore, readCredentials } from "./identity.ts";
import { makeCertificateRequest, makeKey } from "./key.ts";

export interface EnrolOptions {
  readonly token: JoinTokenContent;
  readonly hostId: string;
  /** Where to dial instead of where the token says. */
  readonly servers?: readonly string[];
  readonly store: IdentityStore;
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A server says no, and would again. */
export class EnrolmentRefused extends Error {
  override readonly name = "EnrolmentRefused";
}

/** Rejects with `EnrolmentRefused`, or with the signal's reason when it is aborted first. */
export async function enrol(options: EnrolOptions): Promise<Identity> {
  const { token, hostId, store, clock, random, log, signal } = options;
  const servers = options.servers ?? token.addresses;
  const key = await store.pendingKey(makeKey);
  const certificateRequest = await makeCertificateRequest(key);
  const backoff = new Backoff({ tuning: defaultBackoffTuning, dialsPerStep: servers.length, random });
  for (let dials = 0; ; dials += 1) {
    const server = servers[dials % servers.length] ?? "";
    signal.throwIfAborted();
    try {
      const credentials = await askServer(server, options, certificateRequest);
      const identity: Identity = { hostId, joinToken: token.id, servers, key, ...readCredentials(credentials, key) };
      await store.write(identity);
      log.info({ host_id: hostId, address: server }, "enrolled");
      return identity;
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw new EnrolmentRefused(messageOf(error), { cause: error });
      if (dials === 0) log.warn({ address: server, detail: messageOf(error) }, "not enrolled yet");
    }
    await sleep(clock, backoff.nextDelayMs(), signal);
  }
}

async function askServer(
  server: string,
  { token, hostId, clock, signal }: EnrolOptions,
  certificateRequest: Buffer,
): Promise<Credentials> {
  const { caFingerprint: fingerprint, id, secret } = token;
  const { host, port } = splitAddress(server);
  const ca = await fetchPinnedCa({ host, port, fingerprint, clock, timeoutMs: pinLimitMs, signal });
  return await callEnrol(server, { ca: [ca] }, { joinTokenId: id, secret, hostId, certificateRequest, signal });
}

const pinLimitMs = 10_000;

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}

/** What another try would not change. A server that shows another CA is among it: somebody may be in between. */
function isFinal(error: unknown): boolean {
  if (error instanceof PinFailed) return error.kind !== "unreachable";
  return isServiceError(error) && finalCodes.includes(error.code);
}

const finalCodes: readonly status[] = [
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
];

function messageOf(error: unknown): string {
  if (isServiceError(error)) return error.details;
  return error instanceof Error ? error.message : String(error);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
