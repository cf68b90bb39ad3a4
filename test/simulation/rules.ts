/**
 * The rules that hold at every moment, whatever goes wrong. They are held against the truth: what stands on the Macs, and what
 * clients were told. What the server believes is only looked at where believing wrongly would be the harm.
 */
import type { DurableBatch } from "../../server/pool/changes.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord } from "../../server/pool/vm.ts";
import { type CommandUpdate, CommandUpdate_State } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { MacEvent } from "../../simulator/mac-events.ts";
import { type AnsweredCall, AnswerRules } from "./answer-rules.ts";
import { GrantedRules } from "./granted-rules.ts";
import type { HostProcess } from "./host-process.ts";
import { LeaseRules } from "./lease-rules.ts";
import { ledgerDifference } from "./ledger-check.ts";
import { MacRules } from "./mac-rules.ts";

export interface RulesOptions {
  readonly note: (text: string) => void;
  readonly macs: () => readonly HostProcess[];
  readonly view: () => PoolView | undefined;
  readonly poolNowMs: () => number;
  /** The simulated time. */
  readonly nowMs: () => number;
  readonly after: (delayMs: number, action: () => void) => void;
  /** When something was last wrong with the link of a Mac, in simulated time. */
  readonly linkTroubledMs: (mac: string) => number;
}

export interface BrokenRule {
  readonly rule: string;
  readonly detail: string;
}

export class Rules {
  /** The first rule that broke: what follows from it is no news. */
  broken: BrokenRule | undefined;
  readonly leases: LeaseRules;
  readonly macs: MacRules;
  readonly #answers: AnswerRules;
  readonly granted: GrantedRules;
  readonly #options: RulesOptions;
  /** How each command has ended, as the agent of its host told. */
  readonly #commandStates = new Map<string, Map<string, number>>();
  #isTruthNew = true;
  #isPoolNew = true;

  constructor(options: RulesOptions) {
    this.#options = options;
    const breakRule = this.breakRule.bind(this);
    this.leases = new LeaseRules({ ...options, breakRule });
    this.macs = new MacRules({ ...options, breakRule, leases: this.leases });
    this.#answers = new AnswerRules(breakRule);
    this.granted = new GrantedRules(breakRule);
  }

  breakRule(rule: string, detail: string): void {
    if (this.broken !== undefined) return;
    this.broken = { rule, detail };
    this.#options.note(`BROKEN: ${rule}: ${detail}`);
  }

  onMacEvent(mac: HostProcess, event: MacEvent): void {
    const { note, nowMs } = this.#options;
    if (event.type === "vm-state-changed") {
      note(`${mac.name}: ${event.vm.name} ${event.previousState} -> ${event.currentState}`);
      this.leases.onStateChanged(mac, event.vm.name, event.currentState);
    } else if (event.type === "vm-added") {
      const { id, name } = event.vm;
      note(`${mac.name}: ${name} is there`);
      this.#names.set(id, name);
      mac.appearedMs.set(name, nowMs());
      this.macs.onAdded(mac, name);
    } else if (event.type === "vm-removed") {
      const name = this.#names.get(event.vmId) ?? event.vmId;
      note(`${mac.name}: ${name} is gone`);
      this.macs.onRemoved(mac, name);
      this.leases.onRemoved(mac, name);
    }
    this.#isTruthNew = true;
  }
  readonly #names = new Map<string, string>();

  onCommandUpdate(mac: string, { commandId, state }: CommandUpdate): void {
    if (state === CommandUpdate_State.STATE_REFUSED) return;
    const states = this.#commandStates.get(mac) ?? new Map<string, number>();
    this.#commandStates.set(mac, states);
    const end = states.get(commandId);
    if (state !== CommandUpdate_State.STATE_ACCEPTED && state !== CommandUpdate_State.STATE_RUNNING) {
      states.set(commandId, end ?? state);
    }
    if (end !== undefined && end !== state) {
      this.breakRule("no command is done twice", `${commandId} on ${mac}: state ${state} came after ${end}`);
    }
  }

  onServerStarted(durableRevision: number): void {
    this.#answers.onServerStarted(durableRevision, this.#options.view());
    this.granted.onServerStarted(this.#options.view());
    this.#isPoolNew = true;
  }

  onBatch(batch: DurableBatch): void {
    this.#answers.onBatch(batch);
    this.granted.onBatch(batch.changes);
    this.#isPoolNew = true;
    for (const change of batch.changes) {
      if (change.kind !== "vm") continue;
      this.#tell(change.before, change.after);
      this.leases.onChange(change);
      this.macs.onChange(change.before, change.after);
    }
  }

  /** A client was answered; from here on it may rely on it. */
  onAnswered(vms: readonly VmRecord[], call: AnsweredCall): void {
    this.#answers.onAnswered(vms, call);
    for (const vm of vms) {
      if (call.requestId !== undefined) this.leases.onMade(vm, call.firstSentMs);
      else if (call.event.type === "vm-renew") this.leases.onRenewed(vm, call.sentMs);
    }
  }

  /** A client was told why its call failed. */
  onRefused(call: AnsweredCall): void {
    this.#answers.onRefused(call, this.#options.view());
  }

  /** Looks at everything that has changed since the last look. */
  check(): void {
    if (this.#isTruthNew) this.macs.checkMacs();
    if (this.#isPoolNew) this.#checkLedgers();
    this.#isTruthNew = false;
    this.#isPoolNew = false;
  }

  #tell(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (after === undefined || before?.state === after.state) return;
    const { attempt, id, image, state, timeline, uid } = after;
    const what = image.source.kind === "adopted" ? `adopted ${image.source.name}` : `${after.spec.template} ${attempt}`;
    const reason = timeline.at(-1)?.reason ?? "";
    const host = after.host ?? "no host";
    this.#options.note(
      `${id} (${uid.slice(0, 8)}, ${what}) ${before?.state ?? "new"} -> ${state} ${reason} on ${host}`,
    );
  }

  #checkLedgers(): void {
    const view = this.#options.view();
    if (view === undefined) return;
    for (const host of view.hosts.values()) {
      const difference = ledgerDifference(view, host.id);
      if (difference !== undefined) this.breakRule("ledgers equal a recount", `${host.id}: ${difference}`);
    }
  }
}
