/** Secrets as records hold them. What is in a sealed text only `server/secrets` can tell. */

declare const sealed: unique symbol;

/** An encrypted text that is good in one field of one record alone. */
export type SealedText = string & { readonly [sealed]: true };

/** A secret in a record. */
export type StoredSecret =
  | { readonly kind: "sealed"; readonly text: SealedText }
  /** As the first versions stored it. A server that starts on it seals it before it serves. */
  | { readonly kind: "plain"; readonly text: string };
