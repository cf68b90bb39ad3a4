/**
 * TLS for grpc-js's client with all of it said: the version, the CAs that are trusted, the certificate that is shown, and a
 * check of the server's name that also knows addresses, which grpc-js's own puts where only names may stand.
 */
import { isIP } from "node:net";
import { createSecureContext, type SecureContext, connect as tlsConnect } from "node:tls";
import { CallCredentials, ChannelCredentials, experimental } from "@grpc/grpc-js";
import { isPlainText } from "../../shared/tls/pinned-ca.ts";
import { tlsProtocol } from "../../shared/tls/protocol.ts";

export interface TlsIdentity {
  /** The CAs to trust, in PEM. */
  readonly ca: readonly string[];
  /** The certificate to show and its key, in PEM; absent: none is shown. */
  readonly shown?: { readonly certificate: string; readonly key: string };
}

export class TlsCredentials extends ChannelCredentials {
  readonly #context: SecureContext;

  constructor({ ca, shown }: TlsIdentity) {
    super();
    this.#context = createSecureContext({
      ...tlsProtocol,
      ca: [...ca],
      ...(shown !== undefined && { cert: shown.certificate, key: shown.key }),
    });
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    ...[target, , callCredentials]: Parameters<ChannelCredentials["_createSecureConnector"]>
  ): ReturnType<ChannelCredentials["_createSecureConnector"]> {
    const host = experimental.splitHostPort(target.path)?.host ?? target.path;
    const secureContext = this.#context;
    return {
      connect: (socket) =>
        new Promise((resolve, reject) => {
          const tls = tlsConnect({
            socket,
            secureContext,
            host,
            ...(isIP(host) === 0 && { servername: host }),
            ALPNProtocols: ["h2"],
          });
          // It stays: a connection that breaks before grpc-js listens must not end the process.
          tls.on("error", (error) => reject(explained(error)));
          tls.once("secureConnect", () => resolve({ socket: tls, secure: true }));
        }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

/** grpc-js tells only of an error's message. */
function explained(error: Error): Error {
  return isPlainText(error) ? new Error("the server speaks plain text and no TLS", { cause: error }) : error;
}
