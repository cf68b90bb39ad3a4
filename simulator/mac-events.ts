/** What happens on a simulated Mac, told to whoever listens: the event socket, the port without HTTP, a simulation. */
import type { CachedImage } from "./cached-image.ts";
import type { Job } from "./job.ts";
import type { Vm, VmState } from "./vm.ts";

/** Listeners must take what they need at once: the VMs and jobs in events go on changing. */
export type MacEvent =
  | {
      readonly type: "vm-state-changed";
      readonly vm: Vm;
      readonly previousState: VmState;
      readonly currentState: VmState;
    }
  | { readonly type: "vm-added" | "vm-updated"; readonly vm: Vm }
  | { readonly type: "vm-removed"; readonly vmId: string }
  /** The ids of running VMs that the service takes for macOS. */
  | { readonly type: "macos-vms-running"; readonly vmIds: readonly string[] }
  | { readonly type: "job-created" | "job-updated" | "job-completed" | "job-deleted"; readonly job: Job }
  | { readonly type: "cache-item-added" | "cache-item-removed"; readonly image: CachedImage }
  | { readonly type: "disk-space-changed" }
  /** The service stopped answering, answers again, or was started anew and forgot what it kept in memory. */
  | { readonly type: "service-down" | "service-up" | "service-restarted" };

export type MacListener = (event: MacEvent) => void;

export class MacEvents {
  /** As many as there are sockets, which the front bounds. */
  readonly #listeners = new Set<MacListener>();

  /** Calls the listener with every event from now on; returns what ends that. */
  subscribe(listener: MacListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: MacEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
