/** What operators set holds for every placement: no project is given more than its quota, no host in quarantine a VM, no VM more tries. */
import type { RecordChange } from "../../server/pool/changes.ts";
import type { HostRecord } from "../../server/pool/host.ts";
import type { ProjectQuota } from "../../server/pool/project.ts";
import { ProjectLedger } from "../../server/pool/project-ledgers.ts";
import { isShut } from "../../server/pool/trouble.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord } from "../../server/pool/vm.ts";

const bounds = [
  "vms",
  "cpuCount",
  "memoryMib",
  "diskMib",
  "macosSlots",
] as const satisfies readonly (keyof ProjectQuota)[];

export class GrantedRules {
  readonly #breakRule: (rule: string, detail: string) => void;
  /** The records as they are durable. */
  readonly #vms = new Map<string, VmRecord>();
  readonly #hosts = new Map<string, HostRecord>();
  /** What each project may have: the quota that was acknowledged last, and those that were asked for since. */
  readonly #quotas = new Map<string, readonly ProjectQuota[]>();
  /** How often each VM was begun anew because a host could not make it, by uid. */
  readonly #retries = new Map<string, number>();

  constructor(breakRule: (rule: string, detail: string) => void) {
    this.#breakRule = breakRule;
  }

  /** The server has read what is durable. */
  onServerStarted(view: PoolView | undefined): void {
    this.#vms.clear();
    this.#hosts.clear();
    for (const vm of view?.vms.values() ?? []) this.#vms.set(vm.id, vm);
    for (const host of view?.hosts.values() ?? []) this.#hosts.set(host.id, host);
  }

  onBatch(changes: readonly RecordChange[]): void {
    const hostsBefore = new Map(this.#hosts);
    for (const { kind, id, after } of changes) {
      if (kind === "vm") put(this.#vms, id, after);
      else if (kind === "host") put(this.#hosts, id, after);
    }
    for (const change of changes) {
      if (change.kind === "vm") this.#checkRetries(change.before, change.after);
      if (change.kind !== "vm" || change.after?.host === undefined) continue;
      const { before, after } = change;
      if (before?.attempt === after.attempt || after.image.source.kind === "adopted") continue;
      this.#checkQuota(after);
      this.#checkQuarantine(after, hostsBefore.get(change.after.host));
    }
  }

  /** An operator asks for a quota; when it is so, it says when it is answered. */
  onQuotaAsked(project: string, quota: ProjectQuota): void {
    this.#quotas.set(project, [...(this.#quotas.get(project) ?? []), quota]);
  }

  onQuotaSet(project: string, quota: ProjectQuota): void {
    const asked = this.#quotas.get(project) ?? [];
    this.#quotas.set(project, asked.slice(Math.max(0, asked.lastIndexOf(quota))));
  }

  #checkQuota(placed: VmRecord): void {
    const { project } = placed.spec;
    const quotas = this.#quotas.get(project) ?? [];
    if (quotas.length === 0) return;
    const held = new ProjectLedger();
    for (const vm of this.#vms.values()) if (vm.spec.project === project) held.add(vm, 1);
    for (const bound of bounds) {
      // What it does not take of, it does not exceed.
      if (bound === "macosSlots" && placed.image.guestOs !== "macos") continue;
      const most = Math.max(...quotas.map((quota) => quota[bound] ?? Number.POSITIVE_INFINITY));
      if (held[bound] <= most) continue;
      const detail = `${placed.id} is placed, and ${project} holds ${held[bound]} of ${most} ${bound}`;
      this.#breakRule("no project is given more than its quota", detail);
    }
  }

  #checkRetries(before: VmRecord | undefined, after: VmRecord | undefined): void {
    // One that its host refused, or that was lost with it, goes elsewhere without being one of its tries.
    if (before?.host === undefined || after === undefined || after.retriesUsed === before.retriesUsed) return;
    const retries = (this.#retries.get(after.uid) ?? 0) + 1;
    this.#retries.set(after.uid, retries);
    const most = after.spec.retryAttempts ?? 0;
    if (retries > most)
      this.#breakRule("no VM is made anew more often than it may", `${after.id}: ${retries} of ${most}`);
  }

  #checkQuarantine(placed: VmRecord, before: HostRecord | undefined): void {
    const now = placed.host === undefined ? undefined : this.#hosts.get(placed.host);
    if (before === undefined || now === undefined || !isShut(before) || !isShut(now)) return;
    if (now.trouble?.quarantine?.probe === placed.uid) return;
    this.#breakRule("no VM is placed on a host in quarantine", `${placed.id} on ${placed.host}`);
  }
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
