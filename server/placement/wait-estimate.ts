/**
 * How long a VM will probably wait: when those that stand on the hosts that could take it will have gone, judged by how long
 * such VMs were observed to stay, and how many wait before it. An estimate, not a promise: priorities, leases that are renewed
 * and Macs that fail are not foreseen. It says how sure it is.
 */
import type { TemplateId } from "../../shared/ids.ts";
import { expiryOf } from "../pool/lease.ts";
import { placedAtMs, remainingMs } from "../pool/lifetimes.ts";
import type { Shape } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { placesInMs } from "./room.ts";

export interface WaitEstimate {
  /** As likely less as more, in ms from now. */
  readonly waitMs: number;
  /** More than this only one time in ten, in ms from now. */
  readonly longMs: number;
  /** How many VMs were observed of which it follows. */
  readonly observed: number;
  readonly certainty: "low" | "medium" | "high";
}

export interface EstimateRequest {
  readonly shape: Shape;
  readonly template: TemplateId;
  /** How many VMs go before it. */
  readonly ahead: number;
  readonly nowMs: number;
}

/** Nothing if no host could ever take it as things are, nothing was observed to judge by, or it need not wait for room. */
export function estimateWait(view: PoolView, request: EstimateRequest): WaitEstimate | undefined {
  const own = view.lifetimes.get(request.template);
  const waitMs = waitAt(view, request, 0.5);
  const longMs = waitAt(view, request, 0.9);
  if (waitMs === undefined || longMs === undefined || waitMs === 0) return undefined;
  const observed = own?.total ?? 0;
  return { waitMs, longMs: Math.max(waitMs, longMs), observed, certainty: certaintyOf(observed, waitMs, longMs) };
}

/** How many of the VMs that wait before it compete for the same hosts, judged by the first ones that wait. */
export function competingAhead(view: PoolView, { architecture, isMacos }: Shape, position: number): number {
  let looked = 0;
  let alike = 0;
  for (const id of view.waiting) {
    if (looked === sampleMax) break;
    const image = view.vms.get(id)?.image;
    if (image === undefined) continue;
    looked += 1;
    // Of two guests on an Apple Mac the macOS one needs a slot; both need CPU and memory.
    if (image.architecture === architecture && (!isMacos || image.guestOs === "macos")) alike += 1;
  }
  return looked === 0 ? 0 : Math.round(Math.max(0, position - 1) * (alike / looked));
}

/** As many as say what the queue is made of. */
const sampleMax = 1_000;

/** A VM that is being deleted is gone within some seconds. */
const goingMs = 10_000;

function waitAt(view: PoolView, request: EstimateRequest, quantile: number): number | undefined {
  const { shape, ahead, nowMs } = request;
  const places = placesInMs(view, shape, (vm) => stayOf(view, vm, { nowMs, quantile }));
  if (places.length === 0) return undefined;
  const round = Math.floor(ahead / places.length);
  const inMs = places[ahead % places.length] ?? 0;
  if (round === 0) return inMs;
  // All places are taken by those before it, and are free again when these have gone.
  const whole = remainingMs(view.lifetimes.get(request.template), { ageMs: 0, quantile: 0.5 });
  return whole === undefined ? undefined : inMs + round * whole;
}

/** How long a VM will probably keep its place, in ms from now; nothing if nothing is known of such VMs. */
export function stayOf(
  view: PoolView,
  vm: VmRecord,
  { nowMs, quantile }: { readonly nowMs: number; readonly quantile: number },
): number | undefined {
  if (vm.spec.wanted === "deleted") return goingMs;
  if (vm.notice !== undefined) return Math.max(goingMs, vm.notice.endMs - nowMs + goingMs);
  const ageMs = Math.max(0, nowMs - placedAtMs(vm));
  const stay = remainingMs(view.lifetimes.get(vm.spec.template), { ageMs, quantile });
  const endMs = expiryOf(vm)?.atMs;
  if (endMs === undefined) return stay;
  const untilEndMs = Math.max(0, endMs - nowMs);
  return stay === undefined ? untilEndMs : Math.min(stay, untilEndMs);
}

function certaintyOf(observed: number, waitMs: number, longMs: number): WaitEstimate["certainty"] {
  if (observed < 10) return "low";
  return observed >= 50 && longMs <= 4 * Math.max(waitMs, 60_000) ? "high" : "medium";
}
