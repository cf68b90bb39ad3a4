/** Images that hosts pull before a VM of them is wanted: who is asked, how hosts are told, and what becomes of that. */

import { fieldInvalid, notFound } from "../../shared/errors.ts";
import type { HostId } from "../../shared/ids.ts";
import { type CatalogSource, manifestOf } from "../pool/catalog.ts";
import type { HostPrefetch } from "../pool/events/decisions.ts";
import type { CommandReport } from "../pool/events/host-reports.ts";
import type { TemplatePrefetch } from "../pool/events/templates.ts";
import type { HostRecord } from "../pool/host.ts";
import { freeTurns, hasImage, type ImagePrefetch, nextPrefetches, prefetchRetriesMax } from "../pool/image-prefetch.ts";
import { retryDelayMs } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { TemplateRecord } from "../pool/template.ts";
import { checkNotRevoked } from "../pool/template-use.ts";
import { changeHost } from "./change-host.ts";
import { checkEtag } from "./checks.ts";

export function applyTemplatePrefetch(pool: Pool, event: TemplatePrefetch, timeMs: number): TemplateRecord {
  const template = pool.templates.get(event.id);
  if (template === undefined) throw notFound(`templates/${event.id}`);
  checkEtag(template, event.etag, `templates/${event.id}`);
  checkNotRevoked(template);
  const source = sourceOf(pool, template);
  for (const host of askedHosts(pool, template, event.hosts)) {
    if (hasImage(host, source)) continue;
    const { prefetches = [] } = host;
    const before = prefetches.find((prefetch) => prefetch.template === event.id);
    if (before?.commandId !== undefined && before.source.version === source.version) continue;
    const { architecture } = template.spec;
    const asked: ImagePrefetch = {
      template: event.id,
      uid: event.uid,
      source,
      architecture,
      atMs: timeMs,
      retryCount: 0,
    };
    changeHost(pool, host, timeMs, { prefetches: [...prefetches.filter((prefetch) => prefetch !== before), asked] });
  }
  return template;
}

/** Begins the host's next pull, and drops those that are not wanted any more. False: there is nothing to do. */
export function applyHostPrefetch(pool: Pool, event: HostPrefetch, timeMs: number): boolean {
  const host = pool.hosts.get(event.host);
  const next = host && nextPrefetches(pool, host, { nowMs: timeMs, hasTurn: freeTurns(pool) > 0 });
  if (host === undefined || next === undefined) return false;
  changeHost(pool, host, timeMs, next);
  return true;
}

/** Applies a report of a pull; false if it is of none that is under way. */
export function applyPrefetchReport(pool: Pool, id: HostId, report: CommandReport, timeMs: number): boolean {
  const host = pool.hosts.get(id);
  const prefetch = host?.prefetches?.find(({ commandId }) => commandId === report.commandId);
  if (host === undefined || prefetch === undefined) return false;
  if (report.state === "RUNNING" && report.progress !== undefined) {
    replace(pool, host, prefetch, { ...prefetch, percent: report.progress.percent }, timeMs);
  } else if (report.state === "SUCCEEDED") {
    replace(pool, host, prefetch, undefined, timeMs);
  } else if (report.state === "FAILED" || report.state === "REFUSED") {
    const { reason = "Unexplained", message = "the host did not say why", isRetryable = false } = report.failure ?? {};
    const { percent: _percent, ...rest } = prefetch;
    const isRetried = isRetryable && prefetch.retryCount < prefetchRetriesMax;
    replace(
      pool,
      host,
      prefetch,
      {
        ...rest,
        commandId: undefined,
        atMs: timeMs + retryDelayMs(prefetch.retryCount),
        retryCount: prefetch.retryCount + 1,
        failure: { reason, message, timeMs },
        ...(isRetried ? {} : { hasGivenUp: true }),
      },
      timeMs,
    );
  }
  return true;
}

/** With the version that is meant now, as far as the catalog has told. */
function sourceOf(pool: Pool, template: TemplateRecord): CatalogSource {
  const { source } = template.spec;
  if (source.kind === "catalog") return { ...source, version: manifestOf(pool, template)?.version ?? source.version };
  throw fieldInvalid(
    "name",
    `templates/${template.id} is cloned from "${source.vmName}", which stands on hosts or does not; only images of catalogs are pulled`,
  );
}

function askedHosts(pool: Pool, template: TemplateRecord, ids: readonly HostId[]): readonly HostRecord[] {
  const { architecture } = template.spec;
  if (ids.length === 0) {
    return [...pool.hosts.values()].filter(
      ({ facts, spec }) => facts?.architecture === architecture && spec.schedulable,
    );
  }
  return [...new Set(ids)].map((id) => {
    const host = pool.hosts.get(id);
    if (host === undefined) throw notFound(`hosts/${id}`);
    if (host.facts === undefined || host.facts.architecture === architecture) return host;
    throw fieldInvalid("hosts", `hosts/${id} is ${host.facts.architecture}, and the template for ${architecture}`);
  });
}

function replace(
  pool: Pool,
  host: HostRecord,
  before: ImagePrefetch,
  after: ImagePrefetch | undefined,
  timeMs: number,
): void {
  const next = (host.prefetches ?? []).flatMap((prefetch) => (prefetch === before ? (after ?? []) : prefetch));
  changeHost(pool, host, timeMs, { prefetches: next.length === 0 ? undefined : next });
}
