/**
 * Follows the catalogs: reads each every so often, and at once when it is new or has changed, tells the pool what has changed
 * there, and has templates follow what is said of their manifests. It looks at how things are each time, so that nothing has
 * to be remembered and no order matters.
 */

import { type Clock, sleep } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { CatalogId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { DurableBatch, EngineApi } from "../engine/engine-api.ts";
import { type CatalogManifest, followingJudgement } from "../pool/catalog.ts";
import { imageKey } from "../pool/shape.ts";
import type { CatalogCredentials, CatalogRecord } from "../pool/template.ts";
import { type Reading, readCatalog } from "./catalog-client.ts";

export interface CatalogTuning {
  /** From the end of one round of readings to the next, in ms. */
  readonly periodMs: number;
  /** How long one reading may take, in ms. */
  readonly timeoutMs: number;
  /** How soon after one round the next may follow when something has changed, in ms. */
  readonly spacingMs: number;
}

/** Together they keep what is promised: that a revocation there counts here within a minute. */
export const defaultCatalogTuning: CatalogTuning = { periodMs: 20_000, timeoutMs: 15_000, spacingMs: 1000 };

/** How many manifests are kept of one catalog: with all that belongs to them about 200 KB. */
export const manifestsMax = 1000;

export interface CatalogFollowerOptions {
  readonly engine: EngineApi;
  readonly clock: Clock;
  readonly log: Logger;
  /** What a catalog is shown, or why that cannot be had. */
  readonly openCredentials: (catalog: CatalogRecord) => CatalogCredentials | undefined | { readonly fault: string };
  readonly tuning?: CatalogTuning | undefined;
}

export class CatalogFollower {
  private readonly options: CatalogFollowerOptions;
  private readonly tuning: CatalogTuning;
  private readonly closing = new AbortController();
  private readonly subscription: { cancel(): void };
  private wake = new AbortController();
  private running: Promise<void> | undefined;
  /** Catalogs that could not be read last, so that it is logged once. */
  private readonly failing = new Map<CatalogId, string>();

  constructor(options: CatalogFollowerOptions) {
    this.options = options;
    this.tuning = options.tuning ?? defaultCatalogTuning;
    this.subscription = options.engine.onDurable((batch) => {
      if (batch.changes.some(isOfInterest)) this.wake.abort();
    });
  }

  start(): void {
    this.running = this.run();
  }

  async close(): Promise<void> {
    this.subscription.cancel();
    this.closing.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, log } = this.options;
    const { periodMs, spacingMs } = this.tuning;
    const { signal } = this.closing;
    while (!signal.aborted) {
      this.wake = new AbortController();
      try {
        await this.round();
      } catch (error) {
        // The engine has ended, or is about to.
        if (!signal.aborted) log.warn({ err: error }, "catalogs not followed");
      }
      await sleep(clock, Math.min(spacingMs, periodMs), signal).catch(() => undefined);
      await sleep(clock, periodMs - Math.min(spacingMs, periodMs), AbortSignal.any([signal, this.wake.signal])).catch(
        () => undefined,
      );
    }
  }

  /** Readings side by side: one catalog that does not answer holds up no other. */
  private async round(): Promise<void> {
    const { engine } = this.options;
    const catalogs = await engine.read((view) => [...view.catalogs.values()]);
    await Promise.all(catalogs.map((catalog) => this.follow(catalog)));
    for (const id of this.failing.keys()) if (!catalogs.some((catalog) => catalog.id === id)) this.failing.delete(id);
    await this.judge();
  }

  private async follow(catalog: CatalogRecord): Promise<void> {
    const { engine } = this.options;
    const { id, uid } = catalog;
    const { url } = catalog.spec;
    const reading = await this.read(catalog);
    if (this.closing.signal.aborted) return;
    this.logFault(id, reading);
    const outcome = reading.kind === "fault" ? reading : await this.choose(id, reading.manifests);
    if (await engine.submit({ type: "catalog-read", id, uid, url, outcome })) await this.judge();
  }

  private async read(catalog: CatalogRecord): Promise<Reading> {
    const { clock, openCredentials } = this.options;
    const credentials = openCredentials(catalog);
    if (credentials !== undefined && "fault" in credentials) {
      const message = "its credentials cannot be opened; give them again";
      return { kind: "fault", fault: { reason: "CredentialsSealed", message } };
    }
    const late = new AbortController();
    const timer = clock.after(this.tuning.timeoutMs, () => late.abort());
    try {
      return await readCatalog(catalog.spec.url, credentials, AbortSignal.any([late.signal, this.closing.signal]));
    } finally {
      timer.cancel();
    }
  }

  /** As many as are kept, those that templates name before others. */
  private choose(id: CatalogId, manifests: readonly CatalogManifest[]) {
    return this.options.engine.read((view) => {
      const named = new Set<string>();
      for (const { spec } of view.templates.values()) {
        if (spec.source.kind === "catalog" && spec.source.catalog === id)
          named.add(imageKey(spec.source.catalogId, ""));
      }
      const isNamed = ({ catalogId }: CatalogManifest): boolean => named.has(imageKey(catalogId, ""));
      const inOrder =
        manifests.length <= manifestsMax
          ? manifests
          : [...manifests.filter(isNamed), ...manifests.filter((manifest) => !isNamed(manifest))];
      const kept = inOrder.slice(0, manifestsMax);
      return { kind: "manifests", manifests: kept, leftOutCount: manifests.length - kept.length } as const;
    });
  }

  /** Has templates follow. What changes meanwhile is looked at again in the next round. */
  private async judge(): Promise<void> {
    const { engine, log } = this.options;
    const due = await engine.read((view) =>
      [...view.templates.values()].flatMap((template) => followingJudgement(view, template) ?? []),
    );
    for (const judgement of due) {
      const { id, by, state, reason } = judgement;
      const caller = { principal: by, authentication: "catalog", address: "" };
      const action = { ACTIVE: "RestoreTemplate", TAINTED: "TaintTemplate", REVOKED: "RevokeTemplate" }[state];
      try {
        await engine.submit({ ...judgement, asked: { action, caller } });
        log.info({ template_id: id, catalog: by, state, reason }, "template follows its catalog");
      } catch (error) {
        if (!(error instanceof MeridianError)) throw error;
        log.debug({ template_id: id, catalog: by, err: error }, "template has changed meanwhile");
      }
    }
  }

  private logFault(id: CatalogId, reading: Reading): void {
    const { log } = this.options;
    const before = this.failing.get(id);
    if (reading.kind === "manifests") {
      if (before !== undefined) log.info({ catalog_id: id }, "catalog can be read again");
      this.failing.delete(id);
      return;
    }
    const { reason, message } = reading.fault;
    if (before !== reason) log.warn({ catalog_id: id, reason, message }, "catalog cannot be read");
    this.failing.set(id, reason);
  }
}

/** What a template, or a catalog, is: not what was read of it. */
function isOfInterest(change: DurableBatch["changes"][number]): boolean {
  const { kind, before, after } = change;
  if (after === undefined) return false;
  if (kind === "catalog") return before?.spec !== after.spec;
  return kind === "template" && (before?.spec !== after.spec || before.standing !== after.standing);
}
