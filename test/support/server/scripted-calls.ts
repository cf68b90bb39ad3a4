/** Calls to hosts as a test plays them: it sees what was asked, and says how it ends. */
import type { HostCall, HostCallResult, HostCalls } from "../../../server/sessions/host-calls.ts";
import type { HostId } from "../../../shared/ids.ts";

export interface ReceivedCall {
  readonly host: HostId;
  readonly call: HostCall;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export class ScriptedCalls implements HostCalls {
  readonly received: ReceivedCall[] = [];
  /** How the next calls end. */
  answer: (call: ReceivedCall) => Promise<HostCallResult> = () => Promise.resolve({});

  call(
    host: HostId,
    call: HostCall,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<HostCallResult> {
    const received = { host, call, ...options };
    this.received.push(received);
    return this.answer(received);
  }
}
