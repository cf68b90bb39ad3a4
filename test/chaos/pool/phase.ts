/** Where in its life a VM is, as its Mac shows it: the moments at which processes are killed. */
import { parseHostVmName } from "../../../shared/ids.ts";
import type { SimulatedMac } from "../../../simulator/mac.ts";
import type { MacEvent } from "../../../simulator/mac-events.ts";
import type { VmState } from "../../../simulator/vm.ts";

/** In the order in which a VM meets them; "made": cloned, and nothing more. */
export const phases = ["made", "starting", "booting", "stopping", "stopped", "removed"] as const;
export type Phase = (typeof phases)[number];

/** The phase that a VM of the pool's has just come into. */
function phaseOf(event: MacEvent): Phase | undefined {
  switch (event.type) {
    case "vm-removed":
      return "removed";
    case "vm-added":
      return parseHostVmName(event.vm.name) === undefined ? undefined : "made";
    case "vm-state-changed":
      return phaseByState[event.currentState];
    default:
      return undefined;
  }
}

const phaseByState: Readonly<Partial<Record<VmState, Phase>>> = {
  starting: "starting",
  running: "booting",
  stopping: "stopping",
  stopped: "stopped",
};

export interface PhaseWait {
  readonly macs: readonly SimulatedMac[];
  readonly boundMs: number;
  readonly signal: AbortSignal;
}

/** Resolves at the moment in which a VM on one of the Macs comes into the phase: true; or false after `boundMs`, or the signal. */
export function nextVmIn(phase: Phase, { macs, boundMs, signal }: PhaseWait): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isMet: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      for (const unsubscribe of unsubscribes) unsubscribe();
      resolve(isMet);
    };
    const giveUp = (): void => end(false);
    const timer = setTimeout(giveUp, boundMs);
    signal.addEventListener("abort", giveUp);
    const unsubscribes = macs.map(({ events }) =>
      events.subscribe((event) => {
        if (phaseOf(event) === phase) end(true);
      }),
    );
  });
}
