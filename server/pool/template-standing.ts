/**
 * What was said of a template after it was made: that it is tainted, so that its new VMs say so, or revoked, so that there are
 * none. What a revocation asks of a VM is a function of both as they are, so that no VM escapes it by where it was.
 */
import type { TemplateStanding } from "./template.ts";
import type { VmRecord } from "./vm.ts";

/** Whether VMs may not be made of the template. */
export function isRevoked(template: { readonly standing?: TemplateStanding | undefined } | undefined): boolean {
  return template?.standing?.state === "REVOKED";
}

/** What the standing of its template asks of a VM: to end, or to be stopped; nothing if it may go on as it is. */
export function revocationOf(standing: TemplateStanding | undefined, vm: VmRecord): "end" | "stop" | undefined {
  if (standing?.state !== "REVOKED" || vm.spec.wanted === "deleted") return undefined;
  if (vm.state === "FAILED" || vm.state === "DELETED" || vm.state === "DELETING") return undefined;
  if (!hasComeUp(vm)) return "end";
  return standing.stopsRunning === true && isToBeUp(vm) ? "stop" : undefined;
}

/** One that rests without ever having been powered on has come as far as it was to come. */
function hasComeUp({ state, spec, timeline }: VmRecord): boolean {
  if (state === "PENDING") return false;
  const placed = timeline.findLastIndex((entry) => entry.state === "PLACED");
  // A VM that was adopted, or has moved so often that its placement is not remembered.
  if (placed < 0) return true;
  const isAtRest = state === "STOPPED" && spec.wanted === "stopped";
  return isAtRest || timeline.slice(placed).some((entry) => entry.state === "RUNNING");
}

/** What is suspended does nothing, and holds what somebody may want to look at. */
function isToBeUp({ state, spec }: VmRecord): boolean {
  return spec.wanted !== "stopped" && !(spec.wanted === "suspended" && state === "SUSPENDED");
}
