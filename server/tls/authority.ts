/**
 * The pool's own CA: made on the server's first start, it signs the certificates of the server and of every host. A rotation
 * puts a new root beside the old one; both are taken until the old one is dropped. Who must know of a change is told.
 */
import type { KeyObject, X509Certificate } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { HostId } from "../../shared/ids.ts";
import { type Fingerprint, fingerprintOf } from "../../shared/tls/fingerprint.ts";
import { type AuthorityState, readAuthority, rootsOf, writeAuthority } from "./authority-file.ts";
import {
  type KeyedCertificate,
  makeBridge,
  makeHostCertificate,
  makeRoot,
  makeServerCertificate,
} from "./certificates.ts";
import { hostLifeMs, serverLifeMs } from "./lifetimes.ts";

export interface AuthorityOptions {
  /** `DATA_DIR/tls`; made if it is absent. */
  readonly directory: string;
  readonly poolUid: string;
  readonly clock: Clock;
  /** How long certificates live, in ms; the defaults are right but for tests. */
  readonly lives?: { readonly server?: number; readonly host?: number };
}

export class Authority {
  private readonly options: AuthorityOptions;
  private readonly listeners = new Set<() => void>();
  private state: AuthorityState;
  private isChanging = false;

  /** Reads the CA, or makes one. Rejects with a `StoreError`. */
  static async open(options: AuthorityOptions): Promise<Authority> {
    const known = await readAuthority(options.directory);
    if (known !== undefined) return new Authority(options, known);
    const state = { current: await makeRoot(options.poolUid, options.clock.wallMs()) };
    await writeAuthority(options.directory, state);
    return new Authority(options, state);
  }

  private constructor(options: AuthorityOptions, state: AuthorityState) {
    this.options = options;
    this.state = state;
  }

  get current(): X509Certificate {
    return this.state.current.certificate;
  }

  /** The root before; absent unless a rotation is under way. */
  get previous(): X509Certificate | undefined {
    return this.state.previous?.certificate;
  }

  /** When the previous root was replaced, in ms since 1970. */
  get retiredTimeMs(): number | undefined {
    return this.state.previous?.retiredTimeMs;
  }

  get fingerprint(): Fingerprint {
    return fingerprintOf(this.current);
  }

  get poolUid(): string {
    return this.options.poolUid;
  }

  /** Every root whose certificates are taken, the one that signs first. */
  get rootCertificates(): readonly X509Certificate[] {
    return [this.current, ...(this.previous === undefined ? [] : [this.previous])];
  }

  /** The same, in PEM. */
  get roots(): readonly string[] {
    return rootsOf(this.state);
  }

  get fingerprints(): readonly Fingerprint[] {
    return this.rootCertificates.map(fingerprintOf);
  }

  /** What a server shows behind its own certificate, in PEM: up to the oldest root that clients may have pinned. */
  get chain(): readonly string[] {
    const { bridge, previous, current } = this.state;
    if (bridge === undefined || previous === undefined) return [current.certificate.toString()];
    return [bridge.toString(), previous.certificate.toString()];
  }

  async issueServerCertificate(names: readonly string[]): Promise<KeyedCertificate> {
    const lifeMs = this.options.lives?.server ?? serverLifeMs;
    return await makeServerCertificate(this.state.current, names, { nowMs: this.options.clock.wallMs(), lifeMs });
  }

  /** @param nowMs the pool's time. */
  async issueHostCertificate(host: HostId, publicKey: KeyObject, nowMs: number): Promise<X509Certificate> {
    const lifeMs = this.options.lives?.host ?? hostLifeMs;
    const { poolUid } = this.options;
    return await makeHostCertificate(this.state.current, { poolUid, host, publicKey, nowMs, lifeMs });
  }

  /** A new root signs from now on; the old one is still taken. Throws STATE_NOT_ALLOWED while an older one still is. */
  async rotate(): Promise<void> {
    await this.change(async ({ current, previous }) => {
      if (previous !== undefined) {
        throw new MeridianError(
          "STATE_NOT_ALLOWED",
          "a rotation is under way: the CA before this one is still taken; finish that rotation first",
          { metadata: { state: "ROTATING" } },
        );
      }
      const { clock, poolUid } = this.options;
      const next = await makeRoot(poolUid, clock.wallMs());
      const bridge = await makeBridge(current, next);
      return {
        current: next,
        previous: { certificate: current.certificate, retiredTimeMs: clock.wallMs() },
        bridge,
      };
    });
  }

  /** The old root is no longer taken. Throws STATE_NOT_ALLOWED if there is none. */
  async finishRotation(): Promise<void> {
    await this.change(({ current, previous }) => {
      if (previous === undefined) {
        throw new MeridianError("STATE_NOT_ALLOWED", "no rotation of the CA is under way; there is nothing to finish", {
          metadata: { state: "SETTLED" },
        });
      }
      return Promise.resolve({ current });
    });
  }

  /** Calls the listener after each change. */
  onChange(listener: () => void): { cancel(): void } {
    this.listeners.add(listener);
    return { cancel: () => this.listeners.delete(listener) };
  }

  private async change(next: (state: AuthorityState) => Promise<AuthorityState>): Promise<void> {
    if (this.isChanging) {
      throw new MeridianError("STATE_NOT_ALLOWED", "the CA is being changed by another call; try again in a moment", {
        metadata: { state: "CHANGING" },
        retryAfterMs: 1000,
      });
    }
    this.isChanging = true;
    try {
      const state = await next(this.state);
      await writeAuthority(this.options.directory, state);
      this.state = state;
    } finally {
      this.isChanging = false;
    }
    for (const listener of this.listeners) listener();
  }
}
