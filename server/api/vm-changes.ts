/**
 * Tells those who wait for one VM of its changes. One listener on the engine serves all waits: with a follower for each,
 * a thousand waiting builds would look at every change a thousand times.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { DurableBatch, EngineApi } from "../engine/engine-api.ts";
import type { ChangeOf } from "../pool/changes.ts";
import type { VmRecord } from "../pool/vm.ts";
import { waitsMax } from "./limits.ts";

export type VmChange = ChangeOf<"vm", VmRecord>;
type Listener = (change: VmChange) => void;

export class VmChanges {
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly subscription: { cancel(): void };
  private count = 0;

  constructor(engine: Pick<EngineApi, "onDurable">) {
    this.subscription = engine.onDurable((batch) => this.tell(batch));
  }

  /** Calls the listener with each durable change of the VM from now on. Throws LIMIT_REACHED. */
  listen(vmId: string, listener: Listener): { cancel(): void } {
    if (this.count >= waitsMax) {
      throw new MeridianError("LIMIT_REACHED", `${waitsMax} waits are under way, which is the most; try again later`, {
        metadata: { limit: "waits", most: String(waitsMax) },
        retryAfterMs: 1000,
      });
    }
    const ofVm = this.listeners.get(vmId) ?? new Set();
    this.listeners.set(vmId, ofVm.add(listener));
    this.count += 1;
    return {
      cancel: () => {
        if (!ofVm.delete(listener)) return;
        this.count -= 1;
        if (ofVm.size === 0 && this.listeners.get(vmId) === ofVm) this.listeners.delete(vmId);
      },
    };
  }

  close(): void {
    this.subscription.cancel();
    this.listeners.clear();
  }

  private tell(batch: DurableBatch): void {
    if (this.listeners.size === 0) return;
    for (const change of batch.changes) {
      if (change.kind !== "vm") continue;
      // Listeners may cancel themselves while they are told: a set allows that.
      for (const listener of this.listeners.get(change.id) ?? []) listener(change);
    }
  }
}
