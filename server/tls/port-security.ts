/**
 * What the server's ports show and ask for in a handshake, kept up to date while they serve: the public ones show the
 * operator's own certificate or the CA's, the agents' port always the CA's, which is what agents have pinned, and asks them
 * for theirs.
 */
import type { Server as HttpsServer } from "node:https";
import { createSecureContext, type SecureContext, type SecureContextOptions, type TlsOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { fingerprintOf } from "../../shared/tls/fingerprint.ts";
import { pinName } from "../../shared/tls/pinned-ca.ts";
import { tlsProtocol } from "../../shared/tls/protocol.ts";
import type { Authority } from "./authority.ts";
import { certificateCheckMs, retiredRootMaxMs } from "./lifetimes.ts";
import type { OwnCertificate } from "./own-certificate.ts";
import type { ServerCertificate } from "./server-certificate.ts";

export interface PortSecurityOptions {
  readonly authority: Authority;
  readonly serverCertificate: ServerCertificate;
  readonly ownCertificate: OwnCertificate | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export class PortSecurity {
  /** For the agents' port: a client may have a certificate, and whoever serves it looks at which. */
  readonly agents: PortCredentials;
  /** For the gRPC port. */
  readonly clients: PortCredentials;
  private readonly options: PortSecurityOptions;
  private readonly httpsServers = new Set<HttpsServer>();
  private readonly subscription: Cancellable;
  private timer: Cancellable;
  private refreshing: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(options: PortSecurityOptions) {
    this.options = options;
    const SNICallback = this.chooseContext;
    this.agents = new PortCredentials(
      { requestCert: true, rejectUnauthorized: false, SNICallback },
      this.agentContext(),
    );
    this.clients = new PortCredentials({ SNICallback }, this.clientContext());
    this.subscription = options.authority.onChange(() => void this.refresh(true));
    this.timer = this.scheduleRefresh();
  }

  /** The options of an HTTPS server. */
  get httpsOptions(): TlsOptions {
    return { ...this.clientContext(), SNICallback: this.chooseContext };
  }

  /** Keeps the server's certificate up to date, too. */
  keep(server: HttpsServer): void {
    this.httpsServers.add(server);
  }

  /** Looks now whether anything is due or has changed. */
  async refresh(isAuthorityChanged = false): Promise<void> {
    this.refreshing = this.refreshing.then(() => this.refreshOnce(isAuthorityChanged));
    await this.refreshing;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer.cancel();
    this.subscription.cancel();
    await this.refreshing;
  }

  private async refreshOnce(isAuthorityChanged: boolean): Promise<void> {
    if (this.isClosed) return;
    const { serverCertificate, ownCertificate, log } = this.options;
    try {
      await this.dropRetiredRoot();
      const isRenewed = await serverCertificate.renewIfDue();
      const isReloaded = (await ownCertificate?.reload()) === true;
      if (isRenewed || isReloaded || isAuthorityChanged) this.update();
    } catch (error) {
      // The old one is good for a third of its life still, and this is tried again every few seconds.
      log.error({ err: error }, "certificates not refreshed");
    }
  }

  /** Whoever has not come back in all that time has no certificate of the old root that would still be good. */
  private async dropRetiredRoot(): Promise<void> {
    const { authority, clock, log } = this.options;
    const { retiredTimeMs } = authority;
    if (retiredTimeMs === undefined || clock.wallMs() < retiredTimeMs + retiredRootMaxMs) return;
    await authority.finishRotation();
    log.info({ ca_fingerprint: authority.fingerprint }, "rotation of the ca finished");
  }

  private update(): void {
    this.agents.update(this.agentContext());
    this.clients.update(this.clientContext());
    for (const server of this.httpsServers) server.setSecureContext(this.clientContext());
  }

  private agentContext(): SecureContextOptions {
    const { authority, serverCertificate } = this.options;
    return {
      ...tlsProtocol,
      cert: serverCertificate.chain,
      key: serverCertificate.key,
      ca: [...authority.roots],
    };
  }

  private clientContext(): SecureContextOptions {
    const { serverCertificate, ownCertificate } = this.options;
    const { chain, key } = ownCertificate ?? serverCertificate;
    return { ...tlsProtocol, cert: chain, key };
  }

  /** During a rotation, for a client that has pinned the new root: a chain that ends in that one. */
  private readonly chooseContext = (
    name: string,
    answer: (error: Error | null, context?: SecureContext) => void,
  ): void => {
    const { authority, serverCertificate } = this.options;
    const { current, previous } = authority;
    if (previous === undefined || name !== pinName(fingerprintOf(current))) {
      answer(null);
      return;
    }
    const cert = [serverCertificate.certificate.toString(), current.toString()].join("");
    answer(null, createSecureContext({ ...tlsProtocol, cert, key: serverCertificate.key }));
  };

  private scheduleRefresh(): Cancellable {
    return this.options.clock.after(certificateCheckMs, () => {
      void this.refresh().finally(() => {
        if (!this.isClosed) this.timer = this.scheduleRefresh();
      });
    });
  }
}

/** What a grpc-js server takes, with more of TLS's options than its own have, and a way to change them while it serves. */
class PortCredentials extends ServerCredentials {
  update(options: SecureContextOptions): void {
    this.updateSecureContextOptions(options);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
