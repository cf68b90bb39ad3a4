/**
 * All that stands between a port and the handlers, in its order: who calls, how often, whether he may, and that what he changes
 * is told of. Both ports and all services share one.
 */
import type { Clock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import type { Admission, Credentials } from "../../access/admission.ts";
import { CallLimits } from "../../access/call-limits.ts";
import type { Caller } from "../../access/caller.ts";
import type { EngineApi } from "../../engine/engine-api.ts";
import type { LimitSettings } from "../../pool/settings/limits.ts";
import { fillSettings } from "../../pool/settings/settings.ts";
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
  private readonly limits: CallLimits;
  private readonly subscription: { cancel(): void };

  static async open(options: FrontDoorOptions): Promise<FrontDoor> {
    return await options.engine.read(({ settings }) => new FrontDoor(options, settings.limits));
  }

  private constructor({ admission, ...options }: FrontDoorOptions, settings: LimitSettings) {
    const { engine, clock } = options;
    this.audit = new Audit(options);
    this.limits = new CallLimits(clock, settings);
    this.subscription = engine.onDurable(({ changes }) => {
      for (const change of changes) {
        if (change.kind === "settings" && change.after !== undefined)
          this.limits.use(fillSettings(change.after.spec).limits);
      }
    });
    this.engine = this.audit.engine;
    this.hostCalls = this.audit.hostCalls;
    this.admission = admission;
    const onDenied = (call: RefusedCall, error: unknown): void => this.audit.refused(call, error);
    this.guard = new Guard({ engine, clock, admission, limits: this.limits, onDenied });
  }

  async close(): Promise<void> {
    this.guard.close();
    this.subscription.cancel();
    await this.audit.close();
  }

  /** How many refusals wait to be answered. */
  get heldBack(): number {
    return this.limits.heldBack;
  }

  bind(binding: ServiceBinding): ServiceBinding {
    return this.guard.bind(this.audit.bind(binding));
  }

  async admit(credentials: Credentials): Promise<Caller> {
    try {
      return await this.admission.admit(credentials);
    } catch (error) {
      const { method, address } = credentials;
      // One under way that may not go on is told of where its rights were taken.
      if (method === undefined) throw error;
      throw await this.turnAway({ action: method, caller: { ...nobody, address } }, error);
    }
  }

  onChange(listener: () => void): { cancel(): void } {
    return this.admission.onChange(listener);
  }

  /** Tells, soon and within bounds, of somebody who was not let in; what to answer him, when it is time to. */
  async turnAway(call: RefusedCall, error: unknown): Promise<unknown> {
    this.audit.refused(call, error);
    if (!(error instanceof MeridianError) || !failedLogins.has(error.code)) return error;
    const beyond = this.limits.failLogin(call.caller.address);
    if (beyond === undefined) return error;
    await this.limits.holdBack(beyond);
    return beyond;
  }
}

/** Codes of who did not prove who he is. An unknown join token is refused with the second. */
const failedLogins: ReadonlySet<string> = new Set(["UNAUTHENTICATED", "PERMISSION_DENIED"]);

/** The caller of a call that did not say, or not prove, who makes it. */
const nobody = { principal: "unknown", authentication: "failed" } as const;
