/**
 * Calls that go straight to a host and answer at once: short commands in a guest, and orders for VMs that the pool does not
 * own. They are no part of the pool's state: one that the host's session does not outlive has failed, and the caller hears so.
 */
import type { HostId } from "../../shared/ids.ts";
import type { HostVm } from "../pool/host.ts";

export interface HostCalls {
  /**
   * Sends the call down the host's session and waits for its end. Rejects with a `MeridianError`: HOST_AWAY (no session, or
   * it broke off; the call may have been done), HOST_TIMED_OUT, HOST_COMMAND_FAILED (with the host's words), LIMIT_REACHED
   * (too many calls under way on this host), or with the signal's reason when aborted (the host is told to give up).
   */
  call(
    host: HostId,
    call: HostCall,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<HostCallResult>;
}

export type HostCall =
  | {
      readonly kind: "exec";
      /** The VM's id in Parallels Desktop. */
      readonly hostVmId: string;
      readonly command: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "start" | "stop" | "suspend" | "resume" | "pause" | "restart" | "reset" | "delete";
      /** The VM's id or name in Parallels Desktop. */
      readonly hostVmId: string;
      /** Cut the power (stop, delete). */
      readonly force: boolean;
    };

export interface HostCallResult {
  /** The VM as it is afterwards, if it is there. */
  readonly vm?: HostVm;
  /** Of "exec" only. */
  readonly exec?: { readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number };
}
