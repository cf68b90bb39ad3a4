/**
 * How the service says no. The status misleads, as the real one's does: whatever `prlctl` fails at is 404, what the VM's
 * state forbids is 400, and a VM that nobody knows is 404 as well. Only the message tells them apart.
 */

/** What is behind an error. No caller of the real service is told; it is for callers without HTTP. */
export type ServiceErrorKind =
  | "vm-unknown"
  | "state-forbids"
  | "macos-limit"
  | "disk-full"
  | "name-taken"
  | "catalog"
  | "other";

export class ServiceError extends Error {
  override readonly name = "ServiceError";
  /** The HTTP status, which the body repeats as `code`. */
  readonly status: number;
  readonly kind: ServiceErrorKind;

  constructor(status: number, message: string, kind: ServiceErrorKind = "other") {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/** `prlctl` ended with an error; `words` is what it printed. */
export function prlctlFailed(words: string, kind: ServiceErrorKind = "other"): ServiceError {
  return new ServiceError(404, `${words}\n, err: exit status 255`, kind);
}

/** The VM's state does not allow the call; `words` such as "VM is not running". */
export function stateForbids(words: string): ServiceError {
  return new ServiceError(400, `error: ${words}`, "state-forbids");
}

/** No VM has that id or name. */
export function vmUnknown(): ServiceError {
  return new ServiceError(404, "error 404: Virtual machine not found", "vm-unknown");
}

/** The request's body cannot be used; `words` says why. */
export function bodyInvalid(words: string): ServiceError {
  return new ServiceError(400, `Invalid request body: ${words}`);
}

/** An error of the service itself, with a code. */
export function serviceFailed(status: number, words: string, kind: ServiceErrorKind = "other"): ServiceError {
  return new ServiceError(status, `error ${status}: ${words}`, kind);
}
