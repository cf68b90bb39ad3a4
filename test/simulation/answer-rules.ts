/** What clients were told holds: nothing that was acknowledged is lost, and what was asked for once is done once. */
import type { DurableBatch } from "../../server/pool/changes.ts";
import type { PoolEvent } from "../../server/pool/events.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord } from "../../server/pool/vm.ts";
import type { Uid } from "../../shared/ids.ts";

/** A client's call that was answered. */
export interface AnsweredCall {
  readonly event: PoolEvent;
  /** Of a call that makes something. */
  readonly requestId: string | undefined;
  /** When the server got it. */
  readonly sentMs: number;
  /** When it got the first try of the call, whose answer may have been lost. */
  readonly firstSentMs: number;
}

export class AnswerRules {
  readonly #breakRule: (rule: string, detail: string) => void;
  /** What clients were told of VMs, by uid. */
  readonly #told = new Map<Uid, { generation: number; isDeletionTold: boolean }>();
  /** Which VM a request made, as it was answered. */
  readonly #requests = new Map<string, Uid>();
  /** VMs that are deleted: their records may go, also with a batch that a crash kept from being told. */
  readonly #ended = new Set<Uid>();
  #revision = 0;

  constructor(breakRule: (rule: string, detail: string) => void) {
    this.#breakRule = breakRule;
  }

  onAnswered(vm: VmRecord, { requestId }: AnsweredCall): void {
    const told = this.#told.get(vm.uid) ?? { generation: 0, isDeletionTold: false };
    told.generation = Math.max(told.generation, vm.generation);
    told.isDeletionTold ||= vm.spec.wanted === "deleted";
    this.#told.set(vm.uid, told);
    if (requestId === undefined) return;
    const known = this.#requests.get(requestId);
    this.#requests.set(requestId, vm.uid);
    if (known !== undefined && known !== vm.uid) {
      this.#breakRule("one request makes one VM", `request ${requestId} made ${known} and ${vm.uid}`);
    }
  }

  onServerStarted(durableRevision: number, view: PoolView | undefined): void {
    if (durableRevision < this.#revision) {
      const detail = `revision ${this.#revision} was shown, ${durableRevision} is left`;
      this.#breakRule("no acknowledged change is lost", detail);
    }
    this.#revision = durableRevision;
    if (view === undefined) return;
    for (const { state, uid } of view.vms.values()) if (state === "DELETED") this.#ended.add(uid);
    const byUid = new Map([...view.vms.values()].map((vm) => [vm.uid, vm]));
    for (const [uid, told] of this.#told) this.#checkTold(uid, told, byUid.get(uid));
  }

  onBatch(batch: DurableBatch): void {
    if (batch.revision !== this.#revision + 1) {
      this.#breakRule("revisions count up by one", `${batch.revision} came after ${this.#revision}`);
    }
    this.#revision = batch.revision;
    for (const change of batch.changes) {
      if (change.kind === "vm") this.#checkChange(change.before, change.after);
    }
  }

  #checkTold(uid: Uid, told: { generation: number; isDeletionTold: boolean }, vm: VmRecord | undefined): void {
    if (vm === undefined) {
      if (!this.#ended.has(uid)) this.#breakRule("no acknowledged create is forgotten", uid);
      return;
    }
    if (vm.generation < told.generation) {
      this.#breakRule("no acknowledged change is lost", `${vm.id}: generation ${told.generation} is ${vm.generation}`);
    }
    if (told.isDeletionTold && vm.spec.wanted !== "deleted") {
      this.#breakRule("no acknowledged delete is undone", `${vm.id} is wanted ${vm.spec.wanted}`);
    }
  }

  #checkChange(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before?.state === "DELETED" && after !== undefined && after.uid === before.uid && after.state !== "DELETED") {
      this.#breakRule("what is deleted stays deleted", before.id);
    }
    if (after?.state === "DELETED") this.#ended.add(after.uid);
    if (before === undefined || after?.uid === before.uid) return;
    if (before.state !== "DELETED") this.#breakRule("no record vanishes before its VM is deleted", before.id);
  }
}
