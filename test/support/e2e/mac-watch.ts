/** Watches simulated Macs themselves: which of the pool's VMs each has, and whether one was ever made twice. */
import { parseHostVmName } from "../../../shared/ids.ts";
import type { SimulatedMac } from "../../../simulator/mac.ts";
import type { MacEvent } from "../../../simulator/mac-events.ts";

/** The VMs that ever bore one name, which is that of one attempt at one VM. */
interface NameHistory {
  /** All by the Mac's own ids. */
  readonly made: Set<string>;
  readonly ran: Set<string>;
  readonly present: Set<string>;
  stoodTwice: boolean;
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
    return [...this.histories.values()].reduce((sum, { made }) => sum + made.size - 1, 0);
  }

  /** The uids of the pool's VMs that were made more than once, on whatever Mac, or stand on two at the same time. */
  get doubled(): readonly string[] {
    const made = [...this.madeByUid].filter(([, count]) => count > 1).map(([uid]) => uid);
    return [...made, ...this.standingTwice];
  }

  /** The names, which say uid and attempt, under which two VMs ran one after the other, or stood at the same time. */
  get doubledAttempts(): readonly string[] {
    return [...this.histories].filter(([, { ran, stoodTwice }]) => ran.size > 1 || stoodTwice).map(([name]) => name);
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
        if (event.currentState === "running") this.histories.get(event.vm.name)?.ran.add(event.vm.id);
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
    const fresh = { made: new Set<string>(), ran: new Set<string>(), present: new Set<string>(), stoodTwice: false };
    const history = this.histories.get(name) ?? fresh;
    history.made.add(id);
    history.present.add(id);
    this.presentById.set(id, history.present);
    if (history.present.size > 1) history.stoodTwice = true;
    this.histories.set(name, history);
  }
}
