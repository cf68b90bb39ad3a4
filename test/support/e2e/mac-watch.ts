/** Watches simulated Macs themselves: which of the pool's VMs each has, and whether one was ever made twice. */
import { parseHostVmName } from "../../../shared/ids.ts";
import type { SimulatedMac } from "../../../simulator/mac.ts";
import type { MacEvent } from "../../../simulator/mac-events.ts";

/** The VMs that bore one name, which is that of one attempt at one VM. */
interface NameHistory {
  madeCount: number;
  /** Those that are on a Mac now, by its own ids. */
  readonly present: Set<string>;
  hasRun: boolean;
  /** One was made while there was another, or after one had run. */
  isDoubled: boolean;
}

export class MacWatch {
  private readonly macs: readonly SimulatedMac[];
  private readonly madeByUid = new Map<string, number>();
  private readonly histories = new Map<string, NameHistory>();
  /** For each VM that is on a Mac, all of its name. */
  private readonly presentById = new Map<string, Set<string>>();
  private readonly unsubscribe: readonly (() => void)[];

  constructor(hosts: readonly { readonly mac: SimulatedMac }[]) {
    this.macs = hosts.map(({ mac }) => mac);
    this.unsubscribe = this.macs.map((mac) => mac.events.subscribe((event) => this.note(event)));
  }

  /** How many of the pool's VMs were made on all Macs. */
  get madeCount(): number {
    return this.madeByUid.size;
  }

  /** How many further attempts were made, on whatever Mac. */
  get remadeCount(): number {
    return this.histories.size - this.madeByUid.size;
  }

  /** How many copies were removed without ever having run, and made again: those that an agent could not be sure of. */
  get discardedCount(): number {
    return [...this.histories.values()].reduce((sum, { madeCount }) => sum + madeCount - 1, 0);
  }

  /** The uids of the pool's VMs that were made more than once, on whatever Mac, or stand on two at the same time. */
  get doubled(): readonly string[] {
    const made = [...this.madeByUid].filter(([, count]) => count > 1).map(([uid]) => uid);
    return [...made, ...this.standingTwice];
  }

  /** The names, which say uid and attempt, under which a VM was made while there was another, or after one had run. */
  get doubledAttempts(): readonly string[] {
    return [...this.histories].filter(([, { isDoubled }]) => isDoubled).map(([name]) => name);
  }

  /** The uids of the pool's VMs that stand more than once now, on whatever Macs. */
  get standingTwice(): readonly string[] {
    const present = this.uids();
    return present.filter((uid, index) => present.indexOf(uid) !== index);
  }

  /** The uids of the pool's VMs that the Macs have now, sorted. */
  uids(): readonly string[] {
    return this.macs
      .flatMap(({ vms }) => vms.map(({ name }) => parseHostVmName(name)?.uid))
      .filter((uid) => uid !== undefined)
      .sort();
  }

  close(): void {
    for (const end of this.unsubscribe) end();
  }

  private note(event: MacEvent): void {
    switch (event.type) {
      case "vm-added":
        this.noteMade(event.vm);
        break;
      case "vm-state-changed":
        if (event.currentState === "running") this.noteRunning(event.vm.name);
        break;
      case "vm-removed":
        this.presentById.get(event.vmId)?.delete(event.vmId);
        this.presentById.delete(event.vmId);
        break;
      default:
    }
  }

  private noteMade({ name, id }: { readonly name: string; readonly id: string }): void {
    const uid = parseHostVmName(name)?.uid;
    if (uid === undefined) return;
    this.madeByUid.set(uid, (this.madeByUid.get(uid) ?? 0) + 1);
    const fresh = { madeCount: 0, present: new Set<string>(), hasRun: false, isDoubled: false };
    const history = this.histories.get(name) ?? fresh;
    if (history.present.size > 0 || history.hasRun) history.isDoubled = true;
    history.madeCount += 1;
    history.present.add(id);
    this.presentById.set(id, history.present);
    this.histories.set(name, history);
  }

  private noteRunning(name: string): void {
    const history = this.histories.get(name);
    if (history !== undefined) history.hasRun = true;
  }
}
