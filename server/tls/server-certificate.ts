/**
 * The server's own certificate, signed by the pool's CA. It is kept on disk, since making one takes a tenth of a second that a
 * restart has no need to spend, and made anew when it is due, when the server's names change, or when the CA does.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { replaceFileDurably } from "../storage/durable-file.ts";
import { toStoreError } from "../storage/storage-errors.ts";
import type { Authority } from "./authority.ts";
import type { KeyedCertificate } from "./certificates.ts";
import { renewalShare } from "./lifetimes.ts";

export interface ServerCertificateOptions {
  readonly authority: Authority;
  /** `DATA_DIR/tls`, which exists. */
  readonly directory: string;
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

interface StoredCertificate {
  readonly names: readonly string[];
  readonly certificate: string;
  readonly key: string;
}

export class ServerCertificate {
  private readonly options: ServerCertificateOptions;
  private present: KeyedCertificate;

  /** Rejects with a `StoreError` when it cannot be written. */
  static async open(options: ServerCertificateOptions): Promise<ServerCertificate> {
    const stored = await readStored(options);
    if (stored !== undefined && isGood(stored, options)) return new ServerCertificate(options, stored);
    return new ServerCertificate(options, await makeAndStore(options));
  }

  private constructor(options: ServerCertificateOptions, present: KeyedCertificate) {
    this.options = options;
    this.present = present;
  }

  get certificate(): X509Certificate {
    return this.present.certificate;
  }

  /** In PEM: the certificate, and what leads from it to a root. */
  get chain(): string {
    return [this.present.certificate.toString(), ...this.options.authority.chain].join("");
  }

  get key(): string {
    return this.present.key.export({ type: "pkcs8", format: "pem" }).toString();
  }

  /** Makes a new one if it is time to. True: there is a new one. */
  async renewIfDue(): Promise<boolean> {
    if (isGood(this.present, this.options)) return false;
    this.present = await makeAndStore(this.options);
    return true;
  }
}

async function makeAndStore({ authority, directory, names, log }: ServerCertificateOptions): Promise<KeyedCertificate> {
  const made = await authority.issueServerCertificate(names);
  const stored: StoredCertificate = {
    names,
    certificate: made.certificate.toString(),
    key: made.key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
  const path = pathIn(directory);
  try {
    await replaceFileDurably(path, `${JSON.stringify(stored, undefined, 2)}\n`);
  } catch (error) {
    throw toStoreError(error, `${path} cannot be written`);
  }
  log.info({ names, not_after: made.certificate.validToDate.toISOString() }, "server certificate made");
  return made;
}

/** What cannot be read is made anew: nothing is lost with it. */
async function readStored({ directory, names }: ServerCertificateOptions): Promise<KeyedCertificate | undefined> {
  try {
    const stored = JSON.parse(await readFile(pathIn(directory), "utf8")) as StoredCertificate;
    if (stored.names.join() !== names.join()) return undefined;
    const made = { certificate: new X509Certificate(stored.certificate), key: createPrivateKey(stored.key) };
    return made.certificate.checkPrivateKey(made.key) ? made : undefined;
  } catch {
    return undefined;
  }
}

function isGood({ certificate }: KeyedCertificate, { authority, clock }: ServerCertificateOptions): boolean {
  const fromMs = certificate.validFromDate.getTime();
  const dueMs = fromMs + renewalShare * (certificate.validToDate.getTime() - fromMs);
  const nowMs = clock.wallMs();
  return nowMs >= fromMs && nowMs < dueMs && certificate.verify(authority.current.publicKey);
}

function pathIn(directory: string): string {
  return join(directory, "server.json");
}
