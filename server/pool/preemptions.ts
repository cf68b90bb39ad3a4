/** The indexes of preemption: on which hosts there is anything preemptible, who gives way to whom, and how much notice was given of late. */
import type { HostId, VmId } from "../../shared/ids.ts";
import type { VmRecord } from "./vm.ts";

/** What the rate counts by. */
export const noticeWindowMs = 60_000;

export class Preemptions {
  /** How many preemptible VMs stand on each host that has any. */
  readonly hosts = new Map<HostId, number>();
  private readonly victims = new Map<VmId, Set<VmId>>();
  /** When notice was given within the last minute, the oldest first; one entry a VM. */
  private given: number[] = [];

  /** The VMs that give way to one that waits, or are being removed for it. */
  givingWayTo(id: VmId): ReadonlySet<VmId> {
    return this.victims.get(id) ?? nobody;
  }

  /** All VMs to which others give way. */
  get served(): Iterable<VmId> {
    return this.victims.keys();
  }

  follow(before: VmRecord | undefined, after: VmRecord | undefined): void {
    this.countHost(before, -1);
    this.countHost(after, 1);
    if (before?.notice === after?.notice) return;
    this.unlink(before);
    this.link(after);
    const { notice } = after ?? {};
    if (notice === undefined || notice.isOver === true || before?.notice !== undefined) return;
    this.given.push(notice.sinceMs);
  }

  /** From when on notice may be given to so many; `nowMs` or before: now. @param perMinute how many at most. */
  roomForMs(count: number, perMinute: number, nowMs: number): number {
    if (this.given.length > 0 && (this.given[0] ?? nowMs) <= nowMs - noticeWindowMs) {
      this.given = this.given.filter((timeMs) => timeMs > nowMs - noticeWindowMs);
    }
    const surplus = this.given.length + count - perMinute;
    const last = this.given[surplus - 1];
    return surplus <= 0 || last === undefined ? nowMs : last + noticeWindowMs;
  }

  private countHost(vm: VmRecord | undefined, sign: 1 | -1): void {
    if (vm?.host === undefined || vm.spec.preemptible !== true) return;
    const count = (this.hosts.get(vm.host) ?? 0) + sign;
    if (count === 0) this.hosts.delete(vm.host);
    else this.hosts.set(vm.host, count);
  }

  private link(vm: VmRecord | undefined): void {
    if (vm?.notice === undefined) return;
    const victims = this.victims.get(vm.notice.vm);
    if (victims === undefined) this.victims.set(vm.notice.vm, new Set([vm.id]));
    else victims.add(vm.id);
  }

  private unlink(vm: VmRecord | undefined): void {
    if (vm?.notice === undefined) return;
    const victims = this.victims.get(vm.notice.vm);
    victims?.delete(vm.id);
    if (victims?.size === 0) this.victims.delete(vm.notice.vm);
  }
}

const nobody: ReadonlySet<VmId> = new Set();
