/**
 * What an operator pastes on a Mac: one string that says where the server is, how it proves who it is, and that this Mac may
 * enrol. `mjt1.`, the content, and a checksum that tells a cut or mistyped paste from a wrong token.
 */
import { createHash } from "node:crypto";
import { type Fingerprint, fingerprintBytes, fingerprintFromBytes } from "./fingerprint.ts";

export interface JoinTokenContent {
  /** Where agents reach the server, each as `host:port`; tried in turn. */
  readonly addresses: readonly string[];
  /** Of the server's CA. */
  readonly caFingerprint: Fingerprint;
  /** The last part of `joinTokens/{join_token}`. */
  readonly id: string;
  /** 256 random bits in base64url; the server keeps only their digest. */
  readonly secret: string;
}

const prefix = "mjt1.";
/** Characters of the checksum: 30 bits, enough against a slip of the hand. */
const checksumLength = 5;
/** Longer ones are no join token; a token with eight addresses is half of it. */
export const joinTokenLengthMax = 2_000;

export function formatJoinToken({ addresses, caFingerprint, id, secret }: JoinTokenContent): string {
  const content = [id, secret, fingerprintBytes(caFingerprint).toString("base64url"), ...addresses];
  const text = Buffer.from(JSON.stringify(content), "utf8").toString("base64url");
  return `${prefix}${text}.${checksumOf(text)}`;
}

/** What the string says, or why it is no join token, as a sentence without its secret. */
export function parseJoinToken(text: string): JoinTokenContent | { readonly problem: string } {
  const token = text.trim();
  if (!token.startsWith(prefix)) {
    const isNewer = /^mjt\d+\./.test(token);
    return {
      problem: isNewer
        ? "it is a join token of a newer Meridian; upgrade this one"
        : `it is no join token: those begin with "${prefix}"`,
    };
  }
  const [content = "", checksum = "", ...rest] = token.slice(prefix.length).split(".");
  const isWhole = rest.length === 0 && token.length <= joinTokenLengthMax && checksum === checksumOf(content);
  if (!isWhole) return { problem: "it is cut or altered; copy the whole of it again" };
  return readContent(content) ?? { problem: "it cannot be understood; make a new one" };
}

/** What the server keeps of a secret: a digest. 256 random bits need no slow one. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function checksumOf(content: string): string {
  return createHash("sha256").update(prefix).update(content).digest("base64url").slice(0, checksumLength);
}

function readContent(content: string): JoinTokenContent | undefined {
  const fields = parseStrings(Buffer.from(content, "base64url").toString("utf8"));
  const [id, secret, digest, ...addresses] = fields;
  const caFingerprint = digest === undefined ? undefined : fingerprintFromBytes(Buffer.from(digest, "base64url"));
  if (id === undefined || secret === undefined || caFingerprint === undefined || addresses.length === 0)
    return undefined;
  return { id, secret, caFingerprint, addresses };
}

function parseStrings(json: string): readonly string[] {
  try {
    const parsed: unknown = JSON.parse(json);
    return Array.isArray(parsed) && parsed.every((field) => typeof field === "string") ? parsed : [];
  } catch {
    return [];
  }
}
