/** How a repeated request is known. */

/** What makes a create idempotent. */
export interface RequestKey {
  /** `method/request_id`. */
  readonly id: string;
  /** A digest of the request's content. */
  readonly fingerprint: string;
}
