/** Several VMs asked for at once: one event, one batch in the store, and all of them or as many as fit if that is wanted. */
import { required } from "../../shared/assert.ts";
import { fieldInvalid, MeridianError } from "../../shared/errors.ts";
import type { HostId } from "../../shared/ids.ts";
import { tryPlacing } from "../placement/trial.ts";
import type { VmBatch, VmBatchCreate } from "../pool/events/vms.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import { findRepeated, rememberRequest, repeatedButGone } from "./checks.ts";
import { applyVmPlaced } from "./decision.ts";
import { acceptVm, checkWaiting, newVm } from "./new-vm.ts";

export function applyVmBatchCreate(pool: Pool, event: VmBatchCreate, timeMs: number): VmBatch {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool, event, repeated.batch);
  const ids = new Set(event.vms.map(({ id }) => id));
  if (ids.size < event.vms.length) throw fieldInvalid("requests", "must not ask for the same vm_id twice");
  const { owner, role } = event;
  const by = { ...(owner === undefined ? {} : { owner }), ...(role === undefined ? {} : { role }) };
  const vms = event.vms.map((vm) => newVm(pool, { ...vm, ...by }, timeMs));
  const { accepted, hosts, refusal } = choose(pool, vms, event.fit);
  checkWaiting(pool, accepted.length);
  for (const vm of accepted) acceptVm(pool, vm);
  // As they were tried, one after the other: what fitted in the mind fits.
  for (const [vm, host] of hosts) applyVmPlaced(pool, { type: "vm-placed", id: vm.id, host }, timeMs);
  const [first] = accepted;
  if (first !== undefined) {
    const batch = accepted.map(({ uid }) => uid);
    rememberRequest(pool, event.request, { id: first.id, uid: first.uid, timeMs, batch });
  }
  return {
    vms: accepted.map(({ id }) => required(pool.vms.get(id), "VM that was just accepted")),
    refusedCount: vms.length - accepted.length,
    refusal,
  };
}

interface Choice {
  readonly accepted: readonly VmRecord[];
  /** Those that are placed at once. */
  readonly hosts: readonly (readonly [VmRecord, HostId])[];
  readonly refusal: string;
}

function choose(pool: Pool, vms: readonly VmRecord[], fit: VmBatchCreate["fit"]): Choice {
  if (fit === "wait") return { accepted: vms, hosts: [], refusal: "" };
  const trial = tryPlacing(pool, vms);
  const hosts = vms.flatMap((vm, index) => {
    const host = trial.hosts[index];
    return host === undefined ? [] : [[vm, host] as const];
  });
  if (fit === "all" && hosts.length < vms.length) throw noRoom(vms.length, hosts.length, trial.refusal);
  return { accepted: hosts.map(([vm]) => vm), hosts, refusal: trial.refusal };
}

/** Of what the same request made, what is still there. */
function madeBefore(pool: Pool, event: VmBatchCreate, uids: readonly VmRecord["uid"][]): VmBatch {
  const vms = uids.flatMap((uid) => pool.findVmByUid(uid) ?? []);
  if (vms.length === 0) throw repeatedButGone("all VMs");
  return { vms, refusedCount: event.vms.length - uids.length, refusal: "" };
}

function noRoom(count: number, fitCount: number, refusal: string): MeridianError {
  return new MeridianError(
    "NO_ROOM",
    `${fitCount} of ${count} VMs fit now, and all were asked for: ${refusal}; ask for fewer, or let them wait`,
    { retryAfterMs: 10_000, metadata: { count: String(count), fit: String(fitCount) } },
  );
}
