/**
 * What a program proves with that it is a service account: one string with the token's id, a secret, and a checksum that
 * tells a cut or mistyped paste from a wrong token. `mst1.ID.SECRET.CHECKSUM`.
 */
import { createHash } from "node:crypto";
import { asTokenId, resourceIdPattern, type TokenId } from "./ids.ts";

export interface ClientToken {
  /** The last part of `tokens/{token}`. */
  readonly id: TokenId;
  /** 256 random bits in base64url; the server keeps only a digest of them. */
  readonly secret: string;
}

export const clientTokenPrefix = "mst1.";
/** Characters of the checksum: 30 bits, enough against a slip of the hand. */
const checksumLength = 5;
/** Longer ones are no token. */
const lengthMax = 200;

export function formatClientToken({ id, secret }: ClientToken): string {
  const text = `${clientTokenPrefix}${id}.${secret}`;
  return `${text}.${checksumOf(text)}`;
}

/** What the string says, or why it is no token of a service account, as a sentence without its secret. */
export function parseClientToken(text: string): ClientToken | { readonly problem: string } {
  if (!text.startsWith(clientTokenPrefix)) {
    const isNewer = /^mst\d+\./.test(text);
    return { problem: isNewer ? "it is a token of a newer Meridian" : `such tokens begin with "${clientTokenPrefix}"` };
  }
  const end = text.lastIndexOf(".");
  const [id = "", secret = "", ...rest] = text.slice(clientTokenPrefix.length, Math.max(end, 0)).split(".");
  const isWhole =
    text.length <= lengthMax && rest.length === 0 && text.slice(end + 1) === checksumOf(text.slice(0, end));
  if (!isWhole || secret === "" || !resourceIdPattern.test(id)) {
    return { problem: "it is cut or altered; copy the whole of it again" };
  }
  return { id: asTokenId(id), secret };
}

/** What the server keeps of a secret: a digest, in hex. 256 random bits need no slow one. */
export function digestSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function checksumOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, checksumLength);
}
