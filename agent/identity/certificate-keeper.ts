/**
 * Keeps the host's certificate good: renews it when the server says that it is time, or that the CA has changed. The server
 * alone knows what time it is; the agent only counts from when it was told. What fails is tried again, and told of once.
 */
import { type ServiceError, status } from "@grpc/grpc-js";
import { type Cancellable, type Clock, sleep } from "../../shared/clock.ts";
import type { CertificateNotice } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import { Backoff } from "../link/backoff.ts";
import { TlsCredentials, type TlsIdentity } from "../link/tls-credentials.ts";
import { callRenew } from "./certificate-calls.ts";
import { caFingerprints, type Identity, type IdentityStore, readCredentials } from "./identity.ts";
import { makeCertificateRequest, makeKey } from "./key.ts";

export interface CertificateTuning {
  /** A renewal begins up to so much later than it could, in ms, so that a pool does not renew in one instant. Default 60,000. */
  readonly spreadMs: number;
  /** The pauses between tries: the first up to `baseMs`, the longest up to `capMs`. Default a second and ten minutes. */
  readonly retry: { readonly baseMs: number; readonly capMs: number };
}

export const defaultCertificateTuning: CertificateTuning = {
  spreadMs: 60_000,
  retry: { baseMs: 1_000, capMs: 600_000 },
};

export interface CertificateKeeperOptions {
  readonly identity: Identity;
  readonly store: IdentityStore;
  readonly servers: readonly string[];
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly tuning: CertificateTuning;
  /** There is a new certificate, or other CAs are trusted from now on. */
  readonly onChanged: () => void;
}

/** A timer's longest span; what is further away is looked at again then. */
const waitMaxMs = 24 * 60 * 60 * 1000;

export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  #identity: Identity;
  #credentials: TlsCredentials;
  readonly #closing = new AbortController();
  #timer: Cancellable | undefined;
  #renewing: Promise<void> | undefined;

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#credentials = new TlsCredentials(tlsOf(options.identity));
  }

  /** For connections that are made from now on. */
  get credentials(): TlsCredentials {
    return this.#credentials;
  }

  /** The server has said when to renew, and by which CAs it can be known. */
  onNotice({ renewInMs, caFingerprints: wanted }: CertificateNotice): void {
    const { clock, random, tuning } = this.#options;
    const known = caFingerprints(this.#identity);
    const isRotated = wanted.some((fingerprint) => !known.includes(fingerprint));
    if (!isRotated && wanted.length > 0 && wanted.length < known.length) void this.#forgetOthers(wanted);
    const spreadMs = random() * tuning.spreadMs;
    this.#renewAt(clock.monotonicMs() + (isRotated ? 0 : Math.max(0, renewInMs)) + spreadMs);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the agent is stopping"));
    this.#timer?.cancel();
    await this.#renewing;
  }

  #renewAt(dueMs: number): void {
    this.#timer?.cancel();
    if (this.#closing.signal.aborted) return;
    const { clock } = this.#options;
    const leftMs = dueMs - clock.monotonicMs();
    this.#timer =
      leftMs > waitMaxMs
        ? clock.after(waitMaxMs, () => this.#renewAt(dueMs))
        : clock.after(Math.max(0, leftMs), () => this.#begin());
  }

  #begin(): void {
    this.#renewing ??= this.#renewUntilDone().finally(() => {
      this.#renewing = undefined;
    });
  }

  async #renewUntilDone(): Promise<void> {
    const { servers, log, random, tuning, clock } = this.#options;
    const backoff = new Backoff({ tuning: tuning.retry, dialsPerStep: servers.length, random });
    const { signal } = this.#closing;
    for (let tries = 0; !signal.aborted; tries += 1) {
      const server = servers[tries % servers.length] ?? "";
      try {
        await this.#renew(server);
        log.info({ host_id: this.#identity.hostId, address: server }, "certificate renewed");
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (tries === 0) log.warn({ address: server, detail: detailOf(error) }, "certificate not renewed yet");
        // Revoked: only an operator can change that, and a later notice begins anew.
        if (isRefused(error)) return;
      }
      await sleep(clock, backoff.nextDelayMs(), signal).catch(() => undefined);
    }
  }

  async #renew(server: string): Promise<void> {
    const key = await makeKey();
    const certificateRequest = await makeCertificateRequest(key);
    const { signal } = this.#closing;
    const credentials = await callRenew(server, tlsOf(this.#identity), { certificateRequest, signal });
    await this.#take({ ...this.#identity, key, ...readCredentials(credentials, key) });
  }

  /** A rotation has ended: the older CA is not trusted any more. */
  async #forgetOthers(wanted: readonly string[]): Promise<void> {
    const fingerprints = caFingerprints(this.#identity);
    const ca = this.#identity.ca.filter((_pem, index) => wanted.includes(fingerprints[index] ?? ""));
    if (ca.length === 0) return;
    await this.#take({ ...this.#identity, ca }).catch((error: unknown) => {
      this.#options.log.warn({ detail: detailOf(error) }, "older ca not forgotten");
    });
  }

  async #take(identity: Identity): Promise<void> {
    await this.#options.store.write(identity);
    const isNewCertificate = identity.certificate !== this.#identity.certificate;
    this.#identity = identity;
    this.#credentials = new TlsCredentials(tlsOf(identity));
    if (isNewCertificate) this.#options.onChanged();
  }
}

function tlsOf({ ca, certificate, key }: Identity): TlsIdentity {
  return { ca, shown: { certificate, key } };
}

function isRefused(error: unknown): boolean {
  return isServiceError(error) && error.code === status.PERMISSION_DENIED;
}

function detailOf(error: unknown): string {
  if (isServiceError(error)) return error.details;
  return error instanceof Error ? error.message : String(error);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
