/** The events of a model as the agent's port tells them; they stop and start with the service, and nothing is replayed. */
import { ParallelsError, type ParallelsListener } from "../agent/parallels/api.ts";
import { assertNever } from "../shared/assert.ts";
import { toParallelsJob, toParallelsVm } from "./in-memory-views.ts";
import type { SimulatedMac } from "./mac.ts";
import type { MacEvent } from "./mac-events.ts";

/** The listener hears of its connection after this has returned, as with a socket. */
export function subscribeInMemory(mac: SimulatedMac, listener: ParallelsListener): { close(): void } {
  const subscription = new InMemorySubscription(mac, listener);
  // A fresh connection; the subscription owns it.
  queueMicrotask(() => subscription.connect());
  return subscription;
}

class InMemorySubscription {
  readonly #mac: SimulatedMac;
  readonly #listener: ParallelsListener;
  readonly #unsubscribe: () => void;
  #isConnected = false;
  #isClosed = false;

  constructor(mac: SimulatedMac, listener: ParallelsListener) {
    this.#mac = mac;
    this.#listener = listener;
    this.#unsubscribe = mac.events.subscribe((event) => this.#tell(event));
  }

  connect(): void {
    if (this.#isConnected || this.#isClosed || !this.#mac.isServiceUp) return;
    this.#isConnected = true;
    this.#listener.onConnected();
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
  }

  #disconnect(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#listener.onDisconnected(new ParallelsError("unreachable", "the event socket was closed"));
  }

  #tell(event: MacEvent): void {
    switch (event.type) {
      case "service-down":
        this.#disconnect();
        return;
      case "service-up":
        this.connect();
        return;
      case "service-restarted":
        this.#disconnect();
        this.connect();
        return;
      default:
        if (this.#isConnected && !this.#mac.faults.areEventsSilent) this.#pass(event);
    }
  }

  #pass(event: Exclude<MacEvent, { type: `service-${string}` }>): void {
    switch (event.type) {
      case "vm-state-changed":
        this.#listener.onStateChanged(event.vm.id, event.currentState);
        return;
      case "vm-added":
      case "vm-updated":
        this.#listener.onVmChanged(toParallelsVm(event.vm, this.#mac));
        return;
      case "vm-removed":
        this.#listener.onVmRemoved(event.vmId);
        return;
      case "job-created":
      case "job-updated":
      case "job-completed":
        this.#listener.onJob(toParallelsJob(event.job));
        return;
      case "cache-item-added":
      case "cache-item-removed":
        this.#listener.onCacheChanged();
        return;
      case "job-deleted":
      case "macos-vms-running":
      case "disk-space-changed":
        // Nothing that the port tells.
        return;
      default:
        assertNever(event, "event of a mac");
    }
  }
}
