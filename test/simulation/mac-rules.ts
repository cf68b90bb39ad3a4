/**
 * What holds on the Macs: each VM there is one that the pool made for a record, once, and is left alone as long as the record
 * rests; and the pool gives nothing away that is still taken.
 */
import { orphanGraceMs } from "../../server/pool/limits.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord, VmState } from "../../server/pool/vm.ts";
import { type HostId, hostVmName, parseHostVmName, type Uid } from "../../shared/ids.ts";
import type { HostProcess } from "./host-process.ts";
import type { LeaseRules } from "./lease-rules.ts";
import { recount } from "./ledger-check.ts";
import { nameOnHost } from "./name-on-host.ts";
import type { RulesOptions } from "./rules.ts";

const restingStates: ReadonlySet<VmState> = new Set(["RUNNING", "STOPPED", "SUSPENDED", "PAUSED"]);

/** Why a VM parts from its host without the host's word: what is under way there may still be made. */
const partingReasons: ReadonlySet<string> = new Set([
  "HostLost",
  "HostDeleted",
  "NoProgress",
  "HostDidNotAnswer",
  "SessionsKeepBreaking",
]);

/**
 * How long after an agent's restart Parallels Desktop may still make what the agent's last run asked for, in ms: the slowest
 * clone, or one that hung until then. Nobody can know of it before it is there; then it is removed as an orphan.
 */
const restartShadowMs = 60_000;

/** Commits take no longer. */
const durableMaxMs = 4_000;

/** macOS guests that the pool may run on one Mac. */
const macosSlots = 2;

export interface MacRulesOptions extends RulesOptions {
  readonly breakRule: (rule: string, detail: string) => void;
  readonly leases: LeaseRules;
}

export class MacRules {
  /** A person does something at a Mac. */
  isByHand = false;
  readonly #options: MacRulesOptions;
  /** Names that were once on a Mac and were taken off it. */
  readonly #removed = new Set<string>();
  /** VMs that appeared in the shadow of an agent's restart. */
  readonly #leftOver = new Set<string>();
  /** Names that the pool gave up on a host without knowing what becomes of them there. */
  readonly #parted = new Set<string>();
  /** When people put VMs there that carry names of ours, and that no pool of ours has made. */
  readonly #strangers = new Map<string, number>();

  constructor(options: MacRulesOptions) {
    this.#options = options;
  }

  // --- What happens on the Macs.

  /** What is made is made for a record that holds a place for it there. */
  onAdded(mac: HostProcess, name: string): void {
    const parsed = parseHostVmName(name);
    const view = this.#options.view();
    if (this.isByHand) {
      if (parsed !== undefined) this.#strangers.set(keyOf(mac.id, name), this.#options.nowMs());
      return;
    }
    if (this.#isInShadow(mac)) this.#leftOver.add(keyOf(mac.id, name));
    if (parsed === undefined || view === undefined || this.#leftOver.has(keyOf(mac.id, name))) return;
    if (this.#parted.has(keyOf(mac.id, name))) return;
    const vm = view.findVmByUid(parsed.uid);
    if (vm?.host === mac.id && vm.attempt === parsed.attempt) return;
    // The pool may just be parting from it: that is told when it is durable.
    this.#options.after(durableMaxMs, () => {
      if (this.#parted.has(keyOf(mac.id, name))) return;
      this.#options.breakRule("no VM is made that nobody owns", `${name} on ${mac.name}`);
    });
  }

  /** A VM that rests as it should, and whose lease has not run out, is left alone by everybody but people. */
  onRemoved(mac: HostProcess, name: string): void {
    this.#removed.add(keyOf(mac.id, name));
    const view = this.#options.view();
    if (view === undefined || this.isByHand) return;
    const vm = findOwner(view, mac, name);
    const cameMs = this.#strangers.get(keyOf(mac.id, name));
    if (vm === undefined && cameMs !== undefined && this.#options.nowMs() < cameMs + orphanGraceMs) {
      this.#options.breakRule("an orphan is shown before it is removed", `${name} on ${mac.name}`);
    }
    if (vm === undefined || vm.spec.wanted === "deleted" || vm.command !== undefined) return;
    if (!restingStates.has(vm.state) || this.#options.leases.isOver(mac, name)) return;
    this.#options.breakRule(
      "no VM is taken away unasked",
      `${vm.id} is ${vm.state} on ${mac.name}, and was removed there`,
    );
  }

  // --- What the pool concludes.

  onChange(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before?.host !== undefined && (after?.host !== before.host || after.attempt !== before.attempt)) {
      this.#checkReleased(before, before.host, after);
    }
    if (after === undefined) return;
    if (after.state === "FAILED" && before?.state !== "FAILED") this.#checkFailed(after);
    if (after.host !== undefined && after.attempt !== before?.attempt) this.#checkPlaced(after, after.host);
    if (before === undefined && after.image.source.kind === "adopted") {
      this.#checkAdopted(after);
      // From here on it is the pool's own, whatever becomes of its record.
      if (after.host !== undefined) this.#strangers.delete(keyOf(after.host, nameOnHost(after)));
    }
  }

  /** Capacity is free when the Mac no longer has the VM, and not before; unless what is left there counts as an orphan. */
  #checkReleased(vm: VmRecord, host: HostId, after: VmRecord | undefined): void {
    const name = nameOnHost(vm);
    const record = this.#options.view()?.hosts.get(host);
    const isParted = partingReasons.has(after?.failure?.reason ?? "") || vm.mayHaveRemains === true;
    if (isParted || record === undefined || record.state === "LOST") this.#parted.add(keyOf(host, name));
    const isAway = record === undefined || record.state === "LOST" || vm.mayHaveRemains === true;
    if (isAway || this.#leftOver.has(keyOf(host, name)) || record.foreignVms.some((one) => one.name === name)) return;
    const stands = this.#options.macs().some((mac) => mac.id === host && mac.mac.vms.some((one) => one.name === name));
    if (stands) this.#options.breakRule("capacity is freed when the VM is gone", `${vm.id} still stands on ${host}`);
  }

  #checkFailed(vm: VmRecord): void {
    if (vm.failure === undefined) this.#options.breakRule("what failed says why", vm.id);
    if (vm.failure?.reason !== "Vanished" || vm.failure.host === undefined) return;
    const { source } = vm.image;
    const name = source.kind === "adopted" ? source.name : hostVmName(vm.uid, vm.attempt);
    if (!this.#removed.has(keyOf(vm.failure.host, name))) {
      const detail = `${vm.id} was never taken off ${vm.failure.host}`;
      this.#options.breakRule("only what is gone has vanished", detail);
    }
  }

  #checkPlaced(placed: VmRecord, host: HostId): void {
    const view = this.#options.view();
    // What was adopted stood there before, whether there is room for it or not.
    if (view === undefined || !view.hosts.has(host) || placed.image.source.kind === "adopted") return;
    const ledger = recount(view, host);
    let macosTaken = 0;
    let cpuTaken = 0;
    let memoryTakenMib = 0;
    for (const vm of view.vms.values()) {
      if (vm.host !== host || vm.image.source.kind === "adopted") continue;
      cpuTaken += vm.resources.cpuCount;
      memoryTakenMib += vm.resources.memoryMib;
      if (vm.image.guestOs === "macos") macosTaken += 1;
    }
    if (ledger.cpuCapacity === 0) return;
    // What an operator has taken from a host since then is no harm that a placement did.
    const cpuMax = ledger.cpuCapacity + (view.hosts.get(host)?.spec.reserved.cpuCount ?? 0);
    if (macosTaken > macosSlots || cpuTaken > cpuMax || memoryTakenMib > ledger.memoryCapacityMib) {
      const taken = `${cpuTaken} CPUs, ${memoryTakenMib} MiB, ${macosTaken} macOS guests`;
      this.#options.breakRule("no host is given more than it has", `${host}: ${taken}`);
    }
  }

  /** One VM on a Mac is one VM of the pool. */
  #checkAdopted(adopted: VmRecord): void {
    for (const vm of this.#options.view()?.vms.values() ?? []) {
      if (vm.uid === adopted.uid || vm.host !== adopted.host || vm.sight?.id !== adopted.sight?.id) continue;
      this.#options.breakRule("an adoption makes one record", `${vm.id} and ${adopted.id} are one VM on ${vm.host}`);
    }
  }

  // --- What is so at this moment.

  checkMacs(): void {
    const places = new Map<string, string>();
    const byUid = new Map<Uid, { readonly mac: HostProcess; readonly name: string }>();
    for (const mac of this.#options.macs()) {
      let macosCount = 0;
      for (const { isMacosGuest, isPoweredOn, name } of mac.mac.vms) {
        const parsed = parseHostVmName(name);
        if (parsed === undefined) continue;
        if (isMacosGuest && isPoweredOn) macosCount += 1;
        const place = places.get(name);
        if (place !== undefined) {
          this.#options.breakRule("no VM is made twice", `${name} is on ${place} and on ${mac.name}`);
        }
        places.set(name, mac.name);
        const other = byUid.get(parsed.uid);
        byUid.set(parsed.uid, { mac, name });
        if (other !== undefined) this.#checkDouble(parsed.uid, [other, { mac, name }]);
      }
      if (macosCount > macosSlots) {
        this.#options.breakRule("no Mac runs more macOS guests than it may", `${mac.name} runs ${macosCount}`);
      }
    }
  }

  /** Two attempts at one VM both stand only if the pool has let go of one of them. */
  #checkDouble(uid: Uid, both: readonly { readonly mac: HostProcess; readonly name: string }[]): void {
    const view = this.#options.view();
    if (view === undefined) return;
    const isLeft = ({ mac, name }: { readonly mac: HostProcess; readonly name: string }): boolean => {
      const isForeign = [...view.hosts.values()].some(
        (host) => host.id === mac.id && host.foreignVms.some((vm) => vm.name === name),
      );
      const isAdopted = findOwner(view, mac, name)?.image.source.kind === "adopted";
      return isForeign || isAdopted || this.#parted.has(keyOf(mac.id, name)) || this.#leftOver.has(keyOf(mac.id, name));
    };
    if (both.some(isLeft)) return;
    const where = both.map(({ mac, name }) => `${name} on ${mac.name}`).join(" and ");
    this.#options.breakRule("no VM is on two Macs", `${uid}: ${where}`);
  }

  /** Whether what is made there now may be what an earlier run of the agent asked for and the present one knows nothing of. */
  #isInShadow({ agentRestartedMs, hungUntilMs }: HostProcess): boolean {
    if (agentRestartedMs === undefined) return false;
    return this.#options.nowMs() - Math.max(agentRestartedMs, hungUntilMs) < restartShadowMs;
  }
}

/** The VM of the pool's that stands there under this name. */
function findOwner(view: PoolView, mac: HostProcess, name: string): VmRecord | undefined {
  const parsed = parseHostVmName(name);
  if (parsed !== undefined) {
    const vm = view.findVmByUid(parsed.uid);
    if (vm?.host === mac.id && nameOnHost(vm) === name) return vm;
  }
  return [...view.vms.values()].find((vm) => vm.host === mac.id && nameOnHost(vm) === name);
}

function keyOf(host: string, name: string): string {
  return `${host}/${name}`;
}
