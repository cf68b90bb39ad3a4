/**
 * All that stands between a port and the handlers, in its order: who calls, whether he may, and that what he changes is told
 * of. Both ports and all services share one.
 */
import type { Clock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import type { Admission, Credentials } from "../../access/admission.ts";
import type { Caller } from "../../access/caller.ts";
import type { EngineApi } from "../../engine/engine-api.ts";
import type { HostCalls } from "../../sessions/host-calls.ts";
import type { ServiceBinding } from "../rpc/handlers.ts";
import { Audit, type RefusedCall } from "./audit.ts";
import { Guard } from "./guard.ts";

export interface FrontDoorOptions {
  readonly engine: EngineApi;
  readonly hostCalls: HostCalls;
  readonly admission: Admission;
  readonly clock: Clock;
}

export class FrontDoor implements Admission {
  /** The engine and the hosts, as handlers are to use them. */
  readonly engine: EngineApi;
  readonly hostCalls: HostCalls;
  private readonly admission: Admission;
  private readonly audit: Audit;
  private readonly guard: Guard;

  constructor({ admission, ...options }: FrontDoorOptions) {
    this.audit = new Audit(options);
    this.engine = this.audit.engine;
    this.hostCalls = this.audit.hostCalls;
    this.admission = admission;
    const onDenied = (call: RefusedCall, error: unknown): void => this.audit.refused(call, error);
    this.guard = new Guard({ engine: options.engine, admission, onDenied });
  }

  async close(): Promise<void> {
    this.guard.close();
    await this.audit.close();
  }

  bind(binding: ServiceBinding): ServiceBinding {
    return this.guard.bind(this.audit.bind(binding));
  }

  /** Tells, soon and within bounds, of a call that was refused elsewhere. */
  refused(call: RefusedCall, error: unknown): void {
    this.audit.refused(call, error);
  }

  admit(credentials: Credentials): Caller | Promise<Caller> {
    try {
      const caller = this.admission.admit(credentials);
      if (!(caller instanceof Promise)) return caller;
      return caller.catch((error: unknown) => this.turnAway(credentials, error));
    } catch (error) {
      return this.turnAway(credentials, error);
    }
  }

  onChange(listener: () => void): { cancel(): void } {
    return this.admission.onChange(listener);
  }

  private turnAway({ method, address }: Credentials, error: unknown): never {
    // One under way that may not go on is told of where its rights were taken.
    if (method !== undefined && error instanceof MeridianError) {
      this.audit.refused({ action: method, caller: { ...nobody, address } }, error);
    }
    throw error;
  }
}

/** The caller of a call that did not say, or not prove, who makes it. */
const nobody = { principal: "unknown", authentication: "failed" } as const;
