/** Watches simulated Macs themselves: which of the pool's VMs each has, and whether one was ever made twice. */
import type { SimulatedHost } from "../../../cli/lab/simulated-host.ts";
import { parseHostVmName } from "../../../shared/ids.ts";

export class MacWatch {
  private readonly hosts: readonly SimulatedHost[];
  private readonly madeByUid = new Map<string, number>();
  private readonly unsubscribe: readonly (() => void)[];

  constructor(hosts: readonly SimulatedHost[]) {
    this.hosts = hosts;
    this.unsubscribe = hosts.map(({ mac }) =>
      mac.events.subscribe((event) => {
        if (event.type === "vm-added") this.noteMade(event.vm.name);
      }),
    );
  }

  /** How many of the pool's VMs were made on all Macs. */
  get madeCount(): number {
    return this.madeByUid.size;
  }

  /** The uids of the pool's VMs that were made more than once, on whatever Mac, or stand on two at the same time. */
  get doubled(): readonly string[] {
    const present = this.uids();
    const twice = present.filter((uid, index) => present.indexOf(uid) !== index);
    return [...[...this.madeByUid].filter(([, count]) => count > 1).map(([uid]) => uid), ...twice];
  }

  /** The uids of the pool's VMs that the Macs have now, sorted. */
  uids(): readonly string[] {
    return this.hosts
      .flatMap(({ mac }) => mac.vms.map(({ name }) => parseHostVmName(name)?.uid))
      .filter((uid) => uid !== undefined)
      .sort();
  }

  close(): void {
    for (const end of this.unsubscribe) end();
  }

  private noteMade(name: string): void {
    const uid = parseHostVmName(name)?.uid;
    if (uid !== undefined) this.madeByUid.set(uid, (this.madeByUid.get(uid) ?? 0) + 1);
  }
}
