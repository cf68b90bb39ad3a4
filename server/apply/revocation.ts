/**
 * What is said of templates, and what a revocation does to VMs. From the event on that revokes a template no VM of it can be
 * placed: those that wait are out of the queue at once. Their records, and those that are being made, end in the same batch,
 * as many as a batch bears; the planner sees to the rest right after it.
 */
import { fieldInvalid, notFound } from "../../shared/errors.ts";
import type { VmRevoked } from "../pool/events/decisions.ts";
import type { TemplateJudge } from "../pool/events/templates.ts";
import type { ImageVersion } from "../pool/image-purge.ts";
import { revokedPerBatchMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { TemplateRecord, TemplateStanding } from "../pool/template.ts";
import { revocationOf } from "../pool/template-standing.ts";
import type { VmRecord } from "../pool/vm.ts";
import { changeVm, failVm } from "./change-vm.ts";
import { checkEtag } from "./checks.ts";

export function applyTemplateJudge(pool: Pool, event: TemplateJudge, timeMs: number): TemplateRecord {
  const template = pool.templates.get(event.id);
  if (template === undefined) throw notFound(`templates/${event.id}`);
  checkEtag(template, event.etag, `templates/${event.id}`);
  const { standing: before, ...rest } = template;
  const purges = event.purgesImages === true ? purgedImage(template) : undefined;
  if (isSaid(before, event)) return template;
  const standing = standingOf(event, purges, timeMs);
  const after: TemplateRecord = {
    ...rest,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
    ...(standing === undefined ? {} : { standing }),
  };
  pool.putTemplate(after);
  if (standing?.state === "REVOKED") revokeVms(pool, after, timeMs);
  return after;
}

/** Does to one VM what the standing of its template, or of its version, asks; false if that is nothing. */
export function applyVmRevoked(pool: Pool, event: VmRevoked, timeMs: number): boolean {
  const vm = pool.vms.get(event.id);
  return vm !== undefined && revokeVm(pool, vm, timeMs);
}

function revokeVms(pool: Pool, { id }: TemplateRecord, timeMs: number): void {
  const concerned = [...pool.vmsOf(id)].flatMap((vmId) => {
    const vm = pool.vms.get(vmId);
    return vm === undefined || revocationOf(pool, vm) === undefined ? [] : [vm];
  });
  // What is on a host first: it is there that something is made.
  const [placed, waiting] = [concerned.filter(isPlaced), concerned.filter((vm) => !isPlaced(vm))];
  let budget = revokedPerBatchMax;
  for (const vm of [...placed, ...waiting]) {
    if (budget > 0) revokeVm(pool, vm, timeMs);
    else pool.dirtyVms.add(vm.id);
    budget -= 1;
  }
}

function isPlaced({ host }: VmRecord): boolean {
  return host !== undefined;
}

function revokeVm(pool: Pool, vm: VmRecord, timeMs: number): boolean {
  const revocation = revocationOf(pool, vm);
  if (revocation === undefined) return false;
  const { asks, message } = revocation;
  const reason = "TemplateRevoked";
  const wish = { generation: vm.generation + 1, pendingAction: undefined, retryCount: 0, retryAtMs: undefined };
  if (asks === "stop") {
    changeVm(pool, vm, timeMs, { ...wish, spec: { ...vm.spec, wanted: "stopped" }, force: true });
  } else if (vm.host === undefined) {
    failVm(pool, vm, timeMs, { reason, message, suspect: "template", releasesHost: false });
  } else {
    changeVm(pool, vm, timeMs, {
      ...wish,
      spec: { ...vm.spec, wanted: "deleted" },
      force: true,
      endReason: reason,
      failure: { reason, message, suspect: "template", timeMs, host: vm.host },
    });
  }
  return true;
}

/** What is in the caches of hosts for the template. */
function purgedImage({ id, spec: { source } }: TemplateRecord): ImageVersion {
  if (source.kind === "catalog") return { catalogId: source.catalogId, version: source.version };
  throw fieldInvalid(
    "purge_images",
    `is only for templates of a catalog; templates/${id} is cloned from "${source.vmName}", which has to be removed by hand`,
  );
}

/** Saying the same again changes nothing; of a revocation, to stop what runs or to remove the images as well is more. */
function isSaid(standing: TemplateStanding | undefined, event: TemplateJudge): boolean {
  if (standing === undefined) return event.state === "ACTIVE";
  return (
    standing.state === event.state &&
    standing.reason === event.reason &&
    (standing.stopsRunning === true || event.stopsRunning !== true) &&
    (standing.purges !== undefined || event.purgesImages !== true)
  );
}

function standingOf(
  { state, reason, by, stopsRunning }: TemplateJudge,
  purges: ImageVersion | undefined,
  timeMs: number,
): TemplateStanding | undefined {
  if (state === "ACTIVE") return undefined;
  const said = { state, reason, by, timeMs };
  if (state === "TAINTED") return said;
  return { ...said, ...(stopsRunning === true ? { stopsRunning } : {}), ...(purges === undefined ? {} : { purges }) };
}
