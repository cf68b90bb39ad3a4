/** Who is let in at the public ports. Every call is asked before its handler sees it; health alone answers everybody. */
import { type Caller, insecureCaller } from "./caller.ts";

export interface Credentials {
  /** The call's header of that name. */
  readonly authorization: string | undefined;
  /** Where the call comes from, as far as it is known. */
  readonly address: string;
  /** The call that begins, such as "CreateVm"; absent: the caller of one that is under way is asked again. */
  readonly method?: string;
}

export interface Admission {
  /** Who calls. Throws, or rejects with, CREDENTIALS_MISSING or CREDENTIALS_INVALID. */
  admit(credentials: Credentials): Caller | Promise<Caller>;
  /**
   * Calls the listener whenever what callers may do has changed: what is under way is then asked again, by `admit` with the
   * credentials that it came with.
   */
  onChange(listener: () => void): { cancel(): void };
}

/** For a server that only this machine reaches and that was told to ask nobody. */
export const everybody: Admission = {
  admit: ({ address }) => insecureCaller(address),
  onChange: () => ({ cancel: () => undefined }),
};
