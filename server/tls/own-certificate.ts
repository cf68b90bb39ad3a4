/** A certificate that the operator brings, as two PEM files. New content is taken while serving, if it is good. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fieldInvalid } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";

export interface OwnCertificateFiles {
  /** The certificate, and behind it those that lead to its root. */
  readonly certificate: string;
  readonly key: string;
}

export class OwnCertificate {
  private readonly files: OwnCertificateFiles;
  private readonly log: Logger;
  private content: Content;
  /** Content that was refused and is not told of again. */
  private refused: Content | undefined;

  /** Rejects with FIELD_INVALID for files that cannot be read or are no certificate and its key. */
  static async open(files: OwnCertificateFiles, log: Logger): Promise<OwnCertificate> {
    const content = await read(files);
    check(content, files);
    return new OwnCertificate(files, content, log);
  }

  private constructor(files: OwnCertificateFiles, content: Content, log: Logger) {
    this.files = files;
    this.content = content;
    this.log = log;
  }

  get chain(): string {
    return this.content.chain;
  }

  get key(): string {
    return this.content.key;
  }

  /** Reads the files again. True: there is a new certificate. One that is not good is logged once, and the old one kept. */
  async reload(): Promise<boolean> {
    const next = await read(this.files).catch((error: unknown) => {
      this.refuse({ chain: "", key: "" }, error);
      return this.content;
    });
    if (isSame(next, this.content)) {
      if (next !== this.content) this.refused = undefined;
      return false;
    }
    try {
      check(next, this.files);
    } catch (error) {
      this.refuse(next, error);
      return false;
    }
    this.content = next;
    this.refused = undefined;
    this.log.info({ file: this.files.certificate }, "certificate reloaded");
    return true;
  }

  private refuse(content: Content, error: unknown): void {
    if (this.refused !== undefined && isSame(this.refused, content)) return;
    this.refused = content;
    this.log.error({ err: error, file: this.files.certificate }, "certificate not reloaded");
  }
}

interface Content {
  readonly chain: string;
  readonly key: string;
}

async function read({ certificate, key }: OwnCertificateFiles): Promise<Content> {
  return { chain: await readPem("tls_cert", certificate), key: await readPem("tls_key", key) };
}

async function readPem(field: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw fieldInvalid(field, `cannot be read: ${why}`);
  }
}

function check({ chain, key }: Content, files: OwnCertificateFiles): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(chain);
  } catch {
    throw fieldInvalid("tls_cert", `${files.certificate} holds no certificate in PEM`);
  }
  let isPair: boolean;
  try {
    isPair = certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw fieldInvalid("tls_key", `${files.key} holds no private key in PEM that can be read without a password`);
  }
  if (!isPair) throw fieldInvalid("tls_key", `${files.key} is not the key of the certificate in ${files.certificate}`);
}

function isSame(a: Content, b: Content): boolean {
  return a.chain === b.chain && a.key === b.key;
}
