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
  /** Which VMs a request made, as it was answered first. */
  readonly #requests = new Map<string, ReadonlySet<Uid>>();
  /** Which try of a request made its VMs, by the number of the request: both are in the names. */
  readonly #tries = new Map<string, string>();
  /** VMs that are deleted: their records may go, also with a batch that a crash kept from being told. */
  readonly #ended = new Set<Uid>();
  #revision = 0;

  constructor(breakRule: (rule: string, detail: string) => void) {
    this.#breakRule = breakRule;
  }

  /** @param vms what the answer shows: one, unless many were asked for. */
  onAnswered(vms: readonly VmRecord[], { event, requestId }: AnsweredCall): void {
    for (const vm of vms) {
      const told = this.#told.get(vm.uid) ?? { generation: 0, isDeletionTold: false };
      told.generation = Math.max(told.generation, vm.generation);
      told.isDeletionTold ||= vm.spec.wanted === "deleted";
      this.#told.set(vm.uid, told);
    }
    if (requestId === undefined) return;
    const known = this.#requests.get(requestId);
    const other = vms.find(({ uid }) => known?.has(uid) === false);
    if (other !== undefined) {
      this.#breakRule("one request makes its VMs once", `request ${requestId} made ${other.uid} later`);
    }
    // Where nothing fitted, nothing was made, and the same request may make it later.
    if (known !== undefined || vms.length === 0) return;
    this.#requests.set(requestId, new Set(vms.map(({ uid }) => uid)));
    if (event.type === "vm-batch-create" && event.fit !== "any" && event.vms.length > vms.length) {
      const detail = `request ${requestId} made ${vms.length} of ${event.vms.length}`;
      this.#breakRule("a batch is made as a whole", detail);
    }
  }

  /** A client was told that its call failed: not so if an earlier try of it has made what it asks for. */
  onRefused({ event, requestId }: AnsweredCall, view: PoolView | undefined): void {
    if (requestId === undefined || view === undefined) return;
    const id = event.type === "vm-batch-create" ? event.vms[0]?.id : "id" in event ? event.id : undefined;
    const request = /^vm-\d+-/.exec(id ?? "")?.[0];
    if (request === undefined) return;
    const made = [...view.vms.values()].find((vm) => vm.id.startsWith(request) && vm.state !== "DELETED");
    if (made !== undefined) this.#breakRule("what was done is told to who asks again", `${made.id} by ${requestId}`);
  }

  onServerStarted(durableRevision: number, view: PoolView | undefined): void {
    if (durableRevision < this.#revision) {
      const detail = `revision ${this.#revision} was shown, ${durableRevision} is left`;
      this.#breakRule("no acknowledged change is lost", detail);
    }
    this.#revision = durableRevision;
    if (view === undefined) return;
    for (const { id, state, uid } of view.vms.values()) {
      if (state === "DELETED") this.#ended.add(uid);
      this.#noteTry(id);
    }
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

  /** Two tries of one request have both made something, whether anybody was told or not. */
  #noteTry(id: string): void {
    const [, request, attempt] = /^vm-(\d+)-(\d+)/.exec(id) ?? [];
    if (request === undefined || attempt === undefined) return;
    const known = this.#tries.get(request);
    this.#tries.set(request, attempt);
    if (known !== undefined && known !== attempt) {
      this.#breakRule("one request makes its VMs once", `tries ${known} and ${attempt} of request ${request} did`);
    }
  }

  #checkChange(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before === undefined && after !== undefined) {
      this.#noteTry(after.id);
      const isPlacedAtOnce = /-(?:all|any)-/.test(after.id);
      if (isPlacedAtOnce && after.attempt === 0) this.#breakRule("what fits is placed with its batch", after.id);
    }
    if (before?.state === "DELETED" && after !== undefined && after.uid === before.uid && after.state !== "DELETED") {
      this.#breakRule("what is deleted stays deleted", before.id);
    }
    if (after?.state === "DELETED") this.#ended.add(after.uid);
    if (before === undefined || after?.uid === before.uid) return;
    if (before.state !== "DELETED") this.#breakRule("no record vanishes before its VM is deleted", before.id);
  }
}
