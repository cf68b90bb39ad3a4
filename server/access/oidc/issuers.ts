/** The pool's issuers as of the newest durable change, each with its rules read and its keys beside it. */
import type { Cancellable, Clock } from "../../../shared/clock.ts";
import type { IssuerId } from "../../../shared/ids.ts";
import type { DurableBatch, EngineApi } from "../../engine/engine-api.ts";
import type { IssuerRecord } from "../../pool/issuer.ts";
import type { Binding } from "../roles.ts";
import { type Claims, type RuleOutcome, readCondition } from "./claim-rule.ts";
import { IssuerKeys, type KeyTuning } from "./issuer-keys.ts";

export interface IssuersOptions {
  readonly engine: Pick<EngineApi, "read" | "onDurable">;
  readonly clock: Clock;
  readonly tuning: KeyTuning;
}

export interface KnownIssuer {
  readonly record: IssuerRecord;
  readonly keys: IssuerKeys;
  readonly rules: readonly ReadRule[];
}

interface ReadRule {
  readonly binding: Binding;
  readonly evaluate: (claims: Claims) => RuleOutcome;
}

export class Issuers {
  private readonly byUrl = new Map<string, KnownIssuer>();
  private readonly clock: Clock;
  private readonly tuning: KeyTuning;
  private readonly subscription: Cancellable;
  private readonly listeners = new Set<() => void>();

  static async open(options: IssuersOptions): Promise<Issuers> {
    return await options.engine.read(({ issuers }) => new Issuers(options, issuers));
  }

  private constructor({ engine, clock, tuning }: IssuersOptions, known: ReadonlyMap<IssuerId, IssuerRecord>) {
    this.clock = clock;
    this.tuning = tuning;
    for (const record of known.values()) this.put(record);
    this.subscription = engine.onDurable((batch) => this.learn(batch));
  }

  close(): void {
    this.subscription.cancel();
  }

  /** @param url as a token names its issuer in `iss`. */
  find(url: string): KnownIssuer | undefined {
    return this.byUrl.get(url);
  }

  onChange(listener: () => void): Cancellable {
    this.listeners.add(listener);
    return { cancel: () => this.listeners.delete(listener) };
  }

  private learn({ changes }: DurableBatch): void {
    const ofIssuers = changes.filter((change) => change.kind === "issuer");
    if (ofIssuers.length === 0) return;
    for (const { before, after } of ofIssuers) {
      if (before !== undefined && before.spec.url !== after?.spec.url) this.byUrl.delete(before.spec.url);
      if (after !== undefined) this.put(after);
    }
    for (const listener of this.listeners) listener();
  }

  private put(record: IssuerRecord): void {
    const { url } = record.spec;
    const before = this.byUrl.get(url);
    // Rules that change are no reason to fetch the keys again.
    const isSame = before?.record.uid === record.uid;
    const keys = isSame ? before.keys : new IssuerKeys({ name: `issuers/${record.id}`, url }, this.clock, this.tuning);
    this.byUrl.set(url, { record, keys, rules: record.spec.rules.map(readRule) });
  }
}

function readRule({ condition, binding }: IssuerRecord["spec"]["rules"][number]): ReadRule {
  const rule = readCondition(condition);
  // It was read when it was written. Should a later Meridian no longer take it, nobody gets its role.
  const evaluate = "problem" in rule ? (): RuleOutcome => ({ holds: false, problem: rule.problem }) : rule.evaluate;
  return { binding, evaluate };
}
