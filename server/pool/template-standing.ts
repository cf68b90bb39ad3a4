/**
 * What was said of a template after it was made: that it is tainted, so that its new VMs say so, or revoked, so that there are
 * none. What a revocation asks of a VM is a function of both as they are, so that no VM escapes it by where it was.
 */
import { findManifest, reasonOf } from "./catalog.ts";
import type { TemplateStanding } from "./template.ts";
import type { PoolView } from "./view.ts";
import type { VmRecord } from "./vm.ts";

/** Whether VMs may not be made of the template. */
export function isRevoked(template: { readonly standing?: TemplateStanding | undefined } | undefined): boolean {
  return template?.standing?.state === "REVOKED";
}

/** What a VM has to do: end, or be stopped. */
export interface Revocation {
  readonly asks: "end" | "stop";
  /** What was revoked, by whom and why. */
  readonly message: string;
}

/** What the standing of its template, and of the version that it is made of, asks of a VM; nothing if it may go on as it is. */
export function revocationOf(view: Pick<PoolView, "templates" | "catalogs">, vm: VmRecord): Revocation | undefined {
  if (vm.spec.wanted === "deleted") return undefined;
  if (vm.state === "FAILED" || vm.state === "DELETED" || vm.state === "DELETING") return undefined;
  const standing = view.templates.get(vm.spec.template)?.standing;
  if (standing?.state !== "REVOKED") return versionRevocation(view, vm);
  const message = `templates/${vm.spec.template} was revoked: ${standing.reason}`;
  if (!hasComeUp(vm)) return { asks: "end", message };
  return standing.stopsRunning === true && isToBeUp(vm) ? { asks: "stop", message } : undefined;
}

/** Its template may have moved on to another version since it was accepted. */
function versionRevocation({ catalogs }: Pick<PoolView, "catalogs">, vm: VmRecord): Revocation | undefined {
  const { source, architecture } = vm.image;
  if (source.kind !== "catalog") return undefined;
  const manifest = findManifest(catalogs.get(source.catalog), source, architecture);
  if (manifest?.state !== "REVOKED" || hasComeUp(vm)) return undefined;
  return { asks: "end", message: reasonOf(manifest, source.catalog) };
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
