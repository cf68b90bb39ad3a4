/** Lets in those callers that a test names, by their tokens, and tells when it has changed them. */
import type { Admission, Credentials } from "../../../server/access/admission.ts";
import type { Caller } from "../../../server/access/caller.ts";
import type { Binding } from "../../../server/access/roles.ts";
import { MeridianError } from "../../../shared/errors.ts";

export class ScriptedAdmission implements Admission {
  private readonly callers = new Map<string, readonly Binding[]>();
  private readonly listeners = new Set<() => void>();

  /** Whoever sends the token is `serviceAccounts/TOKEN` with these bindings; nothing: nobody is any more. */
  set(token: string, bindings: readonly Binding[] | undefined): void {
    if (bindings === undefined) this.callers.delete(token);
    else this.callers.set(token, bindings);
    for (const listener of this.listeners) listener();
  }

  admit({ authorization, address }: Credentials): Caller {
    if (authorization === undefined) throw new MeridianError("CREDENTIALS_MISSING", "the call says not who makes it");
    const token = authorization.replace(/^Bearer /, "");
    const bindings = this.callers.get(token);
    if (bindings === undefined) throw new MeridianError("CREDENTIALS_INVALID", "the token is not known here");
    return { principal: `serviceAccounts/${token}`, authentication: "token", address, bindings };
  }

  onChange(listener: () => void): { cancel(): void } {
    this.listeners.add(listener);
    return { cancel: () => this.listeners.delete(listener) };
  }
}
