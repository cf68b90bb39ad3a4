/**
 * The leases as the journal has them, and every way in which one comes, changes and goes. A lease is kept under the VM's name
 * on the host, which belongs to one attempt of one VM. This module does not look at the Mac; `lease-keeper.ts` does.
 */
import type { Lease } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { parseHostVmName } from "../../shared/ids.ts";
import type { Journal } from "../journal/journal.ts";
import type { LeaseRecord } from "../journal/journal-record.ts";
import type { ParallelsVm } from "../parallels/api.ts";
import { type BootTime, leftOfLease } from "./boot-time.ts";

/** More VMs than a Mac has, many times over: a server that names more is not believed. */
const leasesMax = 4_096;

export class LeaseBook {
  readonly #journal: Journal;
  readonly #readTime: () => BootTime;

  constructor(journal: Journal, readTime: () => BootTime) {
    this.#journal = journal;
    this.#readTime = readTime;
  }

  get all(): readonly LeaseRecord[] {
    return [...this.#journal.state.leases.values()];
  }

  find(hostVmName: string): LeaseRecord | undefined {
    return this.#journal.state.leases.get(hostVmName);
  }

  /** Counts what an earlier run has left by the present start of the Mac. */
  rebase(): void {
    const now = this.#readTime();
    const { moment } = this.#journal.state;
    for (const lease of this.all) {
      if (lease.bootId === now.bootId && now.bootId !== "") continue;
      const leftMs = Math.max(0, leftOfLease(lease, moment, now));
      this.#journal.note({ ...lease, bootId: now.bootId, endsAtMs: now.nowMs + leftMs });
    }
    this.noteMoment();
  }

  /** Remembers that the Mac is up now. */
  noteMoment(): void {
    const { bootId, nowMs, wallMs } = this.#readTime();
    if (this.#journal.state.leases.size === 0) return;
    this.#journal.note({ kind: "moment", bootId, atMs: nowMs, wallMs });
  }

  /**
   * The server's word on one VM. Ignored when it follows from an older generation than is known, or when the VM is being
   * removed already. Whether it was news.
   */
  put(lease: Lease): boolean {
    const { state } = this.#journal;
    const known = this.find(lease.hostVmName);
    if (lease.vmUid === "" || lease.hostVmName === "" || known?.phase === "ended") return false;
    if (lease.generation < Math.max(known?.generation ?? 0, state.generationOf(lease.vmUid) ?? 0)) return false;
    if (lease.leaseMs <= 0) {
      if (known !== undefined) this.drop(known);
      return known !== undefined;
    }
    if (known === undefined && state.leases.size >= leasesMax) return false;
    const { bootId, nowMs, wallMs } = this.#readTime();
    const { hostVmName, vmUid, generation } = lease;
    const hostVmId = known?.vmUid === vmUid ? known.hostVmId : "";
    this.#journal.note(
      {
        kind: "lease",
        hostVmName,
        vmUid,
        hostVmId,
        generation,
        endsAtMs: nowMs + lease.leaseMs,
        bootId,
        phase: "counting",
      },
      { kind: "moment", bootId, atMs: nowMs, wallMs },
    );
    return true;
  }

  /** VMs that the server's whole list does not name have no lease. What is being removed is. */
  keepOnly(hostVmNames: ReadonlySet<string>): void {
    for (const lease of this.all) {
      if (lease.phase === "counting" && !hostVmNames.has(lease.hostVmName)) this.drop(lease);
    }
  }

  /** The lease has run out; from now on only the removal counts, and `endsAtMs` is the time of this. */
  end(lease: LeaseRecord): LeaseRecord {
    const ended: LeaseRecord = { ...lease, phase: "ended", endsAtMs: this.#readTime().nowMs };
    this.#journal.note(ended);
    return ended;
  }

  drop({ hostVmName }: LeaseRecord): void {
    this.#journal.note({ kind: "lease-dropped", hostVmName });
  }

  /**
   * Learns under which ids Parallels Desktop has the VMs, so that a person who renames one does not keep it. A name that a
   * person gave may later be another VM's, so the first id under it stays; under a name of the pool's the VM may be made anew.
   */
  learnIds(vms: Iterable<ParallelsVm>): void {
    for (const vm of vms) {
      const lease = this.find(vm.name);
      if (lease === undefined || lease.phase === "ended" || lease.hostVmId === vm.id) continue;
      if (lease.hostVmId !== "" && parseHostVmName(vm.name) === undefined) continue;
      this.#journal.note({ ...lease, hostVmId: vm.id });
    }
  }
}
