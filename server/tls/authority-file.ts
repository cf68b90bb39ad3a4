/**
 * The CA on disk, `DATA_DIR/tls`: `authority.json` holds all of it, keys included, and is replaced as a whole, so that a crash
 * in the middle of a rotation finds either the old state or the new one. `ca.pem` holds the same roots without their keys, for
 * people and their tools.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { replaceFileDurably, syncDirectory } from "../storage/durable-file.ts";
import { hasErrorCode, toStoreError } from "../storage/storage-errors.ts";
import { StoreError } from "../storage/store.ts";
import type { KeyedCertificate } from "./certificates.ts";

export interface AuthorityState {
  /** Signs. */
  readonly current: KeyedCertificate;
  /** The root before, as long as certificates that it signed are still taken. */
  readonly previous?: { readonly certificate: X509Certificate; readonly retiredTimeMs: number };
  /** What the previous root says of the current one. */
  readonly bridge?: X509Certificate;
}

const formatVersion = 1;

/** The state in the directory, or nothing if it holds none. Rejects with a `StoreError`. */
export async function readAuthority(directory: string): Promise<AuthorityState | undefined> {
  const path = join(directory, "authority.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return undefined;
    throw toStoreError(error, `${path} cannot be read`);
  }
  try {
    return parse(JSON.parse(text) as Partial<StoredAuthority>);
  } catch (error) {
    const message =
      `${path} is no CA of a Meridian server. Bring it back from a copy; without it every host has to enrol anew, ` +
      "and removing it is how to say so. Nothing was changed.";
    throw new StoreError("damaged", message, error);
  }
}

/** Makes the directory and its files, or replaces them. Rejects with a `StoreError`. */
export async function writeAuthority(directory: string, state: AuthorityState): Promise<void> {
  try {
    if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) {
      await syncDirectory(dirname(directory));
    }
    // The mode above is for a new directory, and less what the process masks.
    await chmod(directory, 0o700);
    await replaceFileDurably(join(directory, "authority.json"), `${JSON.stringify(format(state), undefined, 2)}\n`);
    await replaceFileDurably(join(directory, "ca.pem"), rootsOf(state).join(""));
  } catch (error) {
    throw toStoreError(error, `${directory} cannot be written`);
  }
}

/** The roots in PEM, the current one first. */
export function rootsOf({ current, previous }: AuthorityState): readonly string[] {
  return [current.certificate.toString(), ...(previous === undefined ? [] : [previous.certificate.toString()])];
}

interface StoredAuthority {
  readonly version: number;
  readonly current: { readonly certificate: string; readonly key: string };
  readonly previous?: { readonly certificate: string; readonly retiredTime: string };
  readonly bridge?: string;
}

function format({ current, previous, bridge }: AuthorityState): StoredAuthority {
  return {
    version: formatVersion,
    current: {
      certificate: current.certificate.toString(),
      key: current.key.export({ type: "pkcs8", format: "pem" }).toString(),
    },
    ...(previous !== undefined && {
      previous: {
        certificate: previous.certificate.toString(),
        retiredTime: new Date(previous.retiredTimeMs).toISOString(),
      },
    }),
    ...(bridge !== undefined && { bridge: bridge.toString() }),
  };
}

function parse({ version, current, previous, bridge }: Partial<StoredAuthority>): AuthorityState {
  if (version !== formatVersion || current === undefined) throw new Error(`version ${String(version)} is not known`);
  const keyed = { certificate: new X509Certificate(current.certificate), key: createPrivateKey(current.key) };
  if (!keyed.certificate.checkPrivateKey(keyed.key)) throw new Error("the key is not that of the certificate");
  return {
    current: keyed,
    ...(previous !== undefined && {
      previous: {
        certificate: new X509Certificate(previous.certificate),
        retiredTimeMs: Date.parse(previous.retiredTime),
      },
    }),
    ...(bridge !== undefined && { bridge: new X509Certificate(bridge) }),
  };
}
