/**
 * The rules that hold at every moment, whatever goes wrong. They are held against the truth: what stands on the Macs, and what
 * clients were told. What the server believes is only looked at where believing wrongly would be the harm.
 */
import type { DurableBatch } from "../../server/pool/changes.ts";
import { expiryOf } from "../../server/pool/lease.ts";
import { HostLedger } from "../../server/pool/ledger.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord, VmState } from "../../server/pool/vm.ts";
import { type CommandUpdate, CommandUpdate_State } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { type HostId, hostVmName, parseHostVmName, type Uid } from "../../shared/ids.ts";
import type { MacEvent } from "../../simulator/mac-events.ts";
import type { HostProcess } from "./host-process.ts";

export interface RulesOptions {
  readonly note: (text: string) => void;
  readonly macs: () => readonly HostProcess[];
  readonly view: () => PoolView | undefined;
  readonly poolNowMs: () => number;
  /** The simulated time. */
  readonly nowMs: () => number;
}

export interface BrokenRule {
  readonly rule: string;
  readonly detail: string;
}

const restingStates: ReadonlySet<VmState> = new Set(["RUNNING", "STOPPED", "SUSPENDED", "PAUSED"]);

/**
 * How long after an agent's restart Parallels Desktop may still make what the agent's last run asked for, in ms: the slowest
 * clone. Nobody can know of it before it is there; then it is removed as an orphan.
 */
const restartShadowMs = 60_000;

/** macOS guests that the pool may run on one Mac. */
const macosSlots = 2;

export class Rules {
  /** The first rule that broke: what follows from it is no news. */
  broken: BrokenRule | undefined;
  /** A person does something at a Mac. */
  isByHand = false;
  readonly #options: RulesOptions;
  /** What clients were told of VMs, by uid. */
  readonly #told = new Map<Uid, { generation: number; isDeletionTold: boolean }>();
  /** Which VM a request made, as it was answered. */
  readonly #requests = new Map<string, Uid>();
  /** Names that were once on a Mac and were taken off it. */
  readonly #removed = new Set<string>();
  /** How each command has ended, as the agent of its host told. */
  readonly #commandStates = new Map<string, Map<string, number>>();
  /** VMs that appeared in the shadow of an agent's restart. */
  readonly #leftOver = new Set<string>();
  /** VMs whose records ended as they should. */
  readonly #ended = new Set<Uid>();
  #revision = 0;
  #isTruthNew = true;
  #isPoolNew = true;

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  breakRule(rule: string, detail: string): void {
    if (this.broken !== undefined) return;
    this.broken = { rule, detail };
    this.#options.note(`BROKEN: ${rule}: ${detail}`);
  }

  // --- What happens.

  onMacEvent(host: HostProcess, event: MacEvent): void {
    if (event.type === "vm-state-changed") {
      this.#options.note(`${host.id}: ${event.vm.name} ${event.previousState} -> ${event.currentState}`);
    } else if (event.type === "vm-added") {
      this.#options.note(`${host.id}: ${event.vm.name} is there`);
      this.#names.set(event.vm.id, event.vm.name);
      this.#checkAdded(host, event.vm.name);
    } else if (event.type === "vm-removed") {
      const name = this.#names.get(event.vmId) ?? event.vmId;
      this.#removed.add(`${host.id}/${name}`);
      this.#options.note(`${host.id}: ${name} is gone`);
      this.#checkRemoved(host, name);
    }
    this.#isTruthNew = true;
  }
  readonly #names = new Map<string, string>();

  onCommandUpdate(host: string, { commandId, state }: CommandUpdate): void {
    if (state === CommandUpdate_State.STATE_REFUSED) return;
    const states = this.#commandStates.get(host) ?? new Map<string, number>();
    this.#commandStates.set(host, states);
    const end = states.get(commandId);
    if (state !== CommandUpdate_State.STATE_ACCEPTED && state !== CommandUpdate_State.STATE_RUNNING) {
      states.set(commandId, end ?? state);
    }
    if (end !== undefined && end !== state) {
      this.breakRule("no command is done twice", `${commandId} on ${host}: state ${state} came after ${end}`);
    }
  }

  onServerStarted(durableRevision: number): void {
    if (durableRevision < this.#revision) {
      const detail = `revision ${this.#revision} was shown, ${durableRevision} is left`;
      this.breakRule("no acknowledged change is lost", detail);
    }
    this.#revision = durableRevision;
    const view = this.#options.view();
    if (view === undefined) return;
    const byUid = new Map([...view.vms.values()].map((vm) => [vm.uid, vm]));
    for (const [uid, told] of this.#told) this.#checkTold(uid, told, byUid.get(uid));
    this.#isPoolNew = true;
  }

  onBatch(batch: DurableBatch): void {
    if (batch.revision !== this.#revision + 1) {
      this.breakRule("revisions count up by one", `${batch.revision} came after ${this.#revision}`);
    }
    this.#revision = batch.revision;
    this.#isPoolNew = true;
    for (const change of batch.changes) {
      if (change.kind === "vm") this.#checkChange(change.before, change.after);
    }
  }

  /** A client was answered; from here on it may rely on it. */
  onAnswered(vm: VmRecord, requestId: string | undefined): void {
    const told = this.#told.get(vm.uid) ?? { generation: 0, isDeletionTold: false };
    told.generation = Math.max(told.generation, vm.generation);
    told.isDeletionTold ||= vm.spec.wanted === "deleted";
    this.#told.set(vm.uid, told);
    if (requestId === undefined) return;
    const known = this.#requests.get(requestId);
    this.#requests.set(requestId, vm.uid);
    if (known !== undefined && known !== vm.uid) {
      this.breakRule("one request makes one VM", `request ${requestId} made ${known} and ${vm.uid}`);
    }
  }

  /** Looks at everything that has changed since the last look. */
  check(): void {
    if (this.#isTruthNew) this.#checkMacs();
    if (this.#isPoolNew) this.#checkLedgers();
    this.#isTruthNew = false;
    this.#isPoolNew = false;
  }

  // --- What must hold.

  #checkTold(uid: Uid, told: { generation: number; isDeletionTold: boolean }, vm: VmRecord | undefined): void {
    if (vm === undefined) {
      if (!this.#ended.has(uid)) this.breakRule("no acknowledged create is forgotten", uid);
      return;
    }
    if (vm.generation < told.generation) {
      this.breakRule("no acknowledged change is lost", `${vm.id}: generation ${told.generation} is ${vm.generation}`);
    }
    if (told.isDeletionTold && vm.spec.wanted !== "deleted") {
      this.breakRule("no acknowledged delete is undone", `${vm.id} is wanted ${vm.spec.wanted}`);
    }
  }

  #checkChange(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (after !== undefined && before?.state !== after.state) {
      const reason = after.timeline.at(-1)?.reason ?? "";
      this.#options.note(
        `${after.id} (${after.uid.slice(0, 8)}, ${after.spec.template}) ${before?.state ?? "new"} -> ${after.state} ${reason} on ${after.host ?? "no host"}`,
      );
    }
    if (before?.state === "DELETED" && after !== undefined && after.uid === before.uid && after.state !== "DELETED") {
      this.breakRule("what is deleted stays deleted", before.id);
    }
    if (before !== undefined && after?.uid !== before.uid) {
      if (before.state === "DELETED") this.#ended.add(before.uid);
      else this.breakRule("no record vanishes before its VM is deleted", before.id);
    }
    if (before?.host !== undefined && (after?.host !== before.host || after.attempt !== before.attempt)) {
      this.#checkReleased(before, before.host);
    }
    if (after?.state === "FAILED" && before?.state !== "FAILED") this.#checkFailed(after);
    if (after !== undefined && after.host !== undefined && after.attempt !== before?.attempt)
      this.#checkPlaced(after.host);
  }

  /** Capacity is free when the Mac no longer has the VM, and not before. */
  #checkReleased(vm: VmRecord, host: HostId): void {
    const name = hostVmName(vm.uid, vm.attempt);
    if (this.#leftOver.has(`${host}/${name}`)) return;
    const mac = this.#options.macs().find(({ id }) => id === host);
    if (mac?.mac.vms.some((one) => one.name === name) === true) {
      this.breakRule("capacity is freed when the VM is gone", `${vm.id} still stands on ${host}`);
    }
  }

  #checkFailed(vm: VmRecord): void {
    if (vm.failure === undefined) this.breakRule("what failed says why", vm.id);
    if (vm.failure?.reason !== "Vanished" || vm.failure.host === undefined) return;
    if (!this.#removed.has(`${vm.failure.host}/${hostVmName(vm.uid, vm.attempt)}`)) {
      this.breakRule("only what is gone has vanished", `${vm.id} was never taken off ${vm.failure.host}`);
    }
  }

  #checkPlaced(host: HostId): void {
    const view = this.#options.view();
    const record = view?.hosts.get(host);
    if (view === undefined || record === undefined) return;
    const ledger = recount(view, host);
    let macosTaken = 0;
    let cpuTaken = 0;
    let memoryTakenMib = 0;
    for (const vm of view.vms.values()) {
      if (vm.host !== host) continue;
      cpuTaken += vm.resources.cpuCount;
      memoryTakenMib += vm.resources.memoryMib;
      if (vm.image.guestOs === "macos") macosTaken += 1;
    }
    if (ledger.cpuCapacity === 0) return;
    if (macosTaken > macosSlots || cpuTaken > ledger.cpuCapacity || memoryTakenMib > ledger.memoryCapacityMib) {
      const taken = `${cpuTaken} CPUs, ${memoryTakenMib} MiB, ${macosTaken} macOS guests`;
      this.breakRule("no host is given more than it has", `${host}: ${taken}`);
    }
  }

  #checkMacs(): void {
    const placesByName = new Map<string, string>();
    for (const { id, mac } of this.#options.macs()) {
      let macosCount = 0;
      for (const vm of mac.vms) {
        if (parseHostVmName(vm.name) === undefined) continue;
        if (vm.isMacosGuest && vm.isPoweredOn) macosCount += 1;
        const other = placesByName.get(vm.name);
        if (other !== undefined) this.breakRule("no VM is made twice", `${vm.name} is on ${other} and on ${id}`);
        placesByName.set(vm.name, id);
      }
      if (macosCount > macosSlots) {
        this.breakRule("no Mac runs more macOS guests than it may", `${id} runs ${macosCount}`);
      }
    }
    this.#checkDoubles(placesByName);
  }

  /** What is made is made for a record that holds a place for it there. */
  #checkAdded(host: HostProcess, name: string): void {
    const parsed = parseHostVmName(name);
    const view = this.#options.view();
    if (this.#isLeftOver(host)) this.#leftOver.add(`${host.id}/${name}`);
    if (parsed === undefined || view === undefined || this.#wasLost.has(host.id) || this.#isLeftOver(host)) return;
    const vm = [...view.vms.values()].find((one) => one.uid === parsed.uid);
    if (vm?.host === host.id && vm.attempt === parsed.attempt) return;
    this.breakRule("no VM is made that nobody owns", `${name} on ${host.id}`);
  }

  /** Whether what is made there now may be what an earlier run of the agent asked for and the present one knows nothing of. */
  #isLeftOver({ agentRestartedMs }: HostProcess): boolean {
    return agentRestartedMs !== undefined && this.#options.nowMs() - agentRestartedMs < restartShadowMs;
  }

  /** A VM that rests as it should, and whose lease has not run out, is left alone by everybody but people. */
  #checkRemoved(host: HostProcess, name: string): void {
    const parsed = parseHostVmName(name);
    const view = this.#options.view();
    if (parsed === undefined || view === undefined || this.isByHand) return;
    const vm = [...view.vms.values()].find((one) => one.uid === parsed.uid);
    if (vm?.host !== host.id || vm.attempt !== parsed.attempt || vm.spec.wanted === "deleted") return;
    if (vm.command !== undefined || !restingStates.has(vm.state)) return;
    const expiry = expiryOf(vm);
    if (expiry !== undefined && expiry.atMs <= this.#options.poolNowMs()) return;
    this.breakRule("no VM is taken away unasked", `${vm.id} is ${vm.state} on ${host.id}, and was removed there`);
  }

  /** Two attempts at one VM both run only if the host of the older was lost. */
  #checkDoubles(placesByName: ReadonlyMap<string, string>): void {
    const byUid = new Map<Uid, string>();
    for (const [name, place] of placesByName) {
      const uid = parseHostVmName(name)?.uid;
      if (uid === undefined) continue;
      const other = byUid.get(uid);
      byUid.set(uid, place);
      if (other === undefined) continue;
      const isLost = [place, other].some((host) => this.#wasLost.has(host));
      if (!isLost) this.breakRule("no VM is on two Macs", `${uid} is on ${other} and on ${place}`);
    }
  }
  /** Hosts that were given up once: what ran there may have been replaced. */
  readonly #wasLost = new Set<string>();

  #checkLedgers(): void {
    const view = this.#options.view();
    if (view === undefined) return;
    for (const host of view.hosts.values()) {
      if (host.state === "LOST") this.#wasLost.add(host.id);
      const difference = ledgerDifference(view, host.id);
      if (difference !== undefined) this.breakRule("ledgers equal a recount", `${host.id}: ${difference}`);
    }
  }
}

/** What the host's ledger should be, counted from the records alone. */
export function recount(view: PoolView, id: HostId): HostLedger {
  const ledger = new HostLedger();
  ledger.setHost(view.hosts.get(id));
  for (const vm of view.vms.values()) if (vm.host === id) ledger.addVm(vm, 1);
  return ledger;
}

/** How the host's ledger differs from a recount; nothing if it does not. */
export function ledgerDifference(view: PoolView, id: HostId): string | undefined {
  const counted = recount(view, id);
  const ledger = view.ledger(id);
  const fields = ["cpuTaken", "memoryTakenMib", "diskTakenMib", "macosTaken", "creating", "vmCount"] as const;
  const wrong = fields.filter((field) => ledger[field] !== counted[field]);
  return wrong.length === 0
    ? undefined
    : wrong.map((field) => `${field} is ${ledger[field]}, counted ${counted[field]}`).join(", ");
}
