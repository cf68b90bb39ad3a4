import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { planProbe } from "../../../../server/planners/probe.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import { isShut, isToBlame, quarantinedMax } from "../../../../server/pool/trouble.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { goldenVm, hostConnected, hostVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { checkPool } from "../../../support/pool/pool-check.ts";
import { sized, templateCreate, uidFor, vmCreate, vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const templates = ["a", "b", "c", "d"];

/** A pool whose hosts have every template's golden VM. */
class Farm {
  readonly pool = new Pool(0);
  readonly hosts: readonly string[];
  nowMs = 1_000_000;
  private count = 0;

  constructor(hostCount: number) {
    this.hosts = Array.from({ length: hostCount }, (_, index) => `mac-${index}`);
    for (const name of templates) {
      this.apply(templateCreate(name, { source: { kind: "host-vm", vmName: `golden-${name}` } }));
    }
    const inventory = wholeInventory(templates.map((name) => goldenVm(`golden-${name}`)));
    for (const name of this.hosts) this.apply(hostConnected(name, { inventory }));
  }

  /** Makes a VM on a host, if that takes one, and has it come up or fail. */
  make(host: string, template: string, comesUp: boolean): void {
    this.count += 1;
    const name = `vm-${this.count}`;
    const on = { placement: { host: asHostId(host) } };
    this.apply({ ...vmCreate(name, { ...sized(1), ...on, template: templateCreate(template).id }), uid: uidFor(name) });
    const isPlaced = applyEvent(this.pool, { type: "vm-placed", id: asVmId(name), host: asHostId(host) }, this.nowMs);
    if (isPlaced) {
      if (comesUp) {
        this.report(name, "SUCCEEDED", "stopped");
        this.apply({ type: "vm-commanded", id: asVmId(name), kind: "start", force: false });
        this.report(name, "SUCCEEDED", "running");
      } else this.report(name, "FAILED");
    }
    this.apply(vmWant(name, "deleted", { force: true }));
    const vm = this.pool.vms.get(asVmId(name)) ?? assert.fail();
    if (vm.host !== undefined) {
      this.apply({ type: "vm-commanded", id: vm.id, kind: "delete", force: true });
      this.report(name, "SUCCEEDED");
    }
    this.plan();
  }

  pass(spanMs: number): void {
    this.nowMs += spanMs;
    // Hosts are heard meanwhile: what becomes of silent ones is not what this is about.
    for (const name of this.hosts) this.apply(hostConnected(name, { inventory: this.inventoryOf() }));
    this.apply({ type: "tick" });
  }

  quarantined(): readonly string[] {
    return [...this.pool.hosts.values()].filter(({ trouble }) => trouble?.quarantine !== undefined).map(({ id }) => id);
  }

  private inventoryOf() {
    return wholeInventory(templates.map((name) => goldenVm(`golden-${name}`)));
  }

  private report(name: string, state: "SUCCEEDED" | "FAILED", seen?: string): void {
    const vm = this.pool.vms.get(asVmId(name)) ?? assert.fail();
    const failure = { reason: "Scripted", message: "it is scripted", suspect: "host", isRetryable: false } as const;
    const host = this.pool.hosts.get(vm.host ?? assert.fail()) ?? assert.fail();
    this.apply({
      type: "command-reported",
      hostId: host.id,
      epoch: host.epoch,
      report: {
        commandId: vm.command?.id ?? assert.fail(),
        state,
        ...(state === "FAILED" ? { failure } : {}),
        ...(seen === undefined ? {} : { vm: hostVm(name, { state: seen }) }),
      },
    });
  }

  private plan(): void {
    for (const host of this.pool.hosts.values()) for (const event of planProbe(this.pool, host)) this.apply(event);
  }

  private apply(event: Parameters<typeof applyEvent>[1]): void {
    applyEvent(this.pool, event, this.nowMs);
  }
}

describe("blame, whatever fails where:", () => {
  it("no more hosts are in quarantine than the settings allow, and the last one never is", () => {
    const step = fc.oneof(
      {
        weight: 9,
        arbitrary: fc.record({
          host: fc.nat(11),
          template: fc.constantFrom(...templates),
          comesUp: fc.constantFrom(true, false, false, false),
        }),
      },
      { weight: 1, arbitrary: fc.record({ spanMs: fc.constantFrom(minuteMs, 11 * minuteMs, 31 * minuteMs) }) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 150, size: "max" }), (count, steps) => {
        const farm = new Farm(count);
        for (const one of steps) {
          if ("spanMs" in one) farm.pass(one.spanMs);
          else farm.make(`mac-${one.host % count}`, one.template, one.comesUp);
          const { length } = farm.quarantined();
          assert.ok(length <= quarantinedMax(count, farm.pool.settings), `${length} of ${count} hosts`);
        }
        checkPool(farm.pool);
      }),
      { numRuns: 150 },
    );
  });

  it("a template that fails everywhere takes no host out, however many other templates do well", () => {
    const attempt = fc.record({ host: fc.nat(9), isBad: fc.boolean(), template: fc.constantFrom("b", "c", "d") });
    fc.assert(
      fc.property(fc.array(attempt, { minLength: 40, maxLength: 120, size: "max" }), (attempts) => {
        const farm = new Farm(10);
        for (const { host, isBad, template } of attempts) {
          farm.make(`mac-${host}`, isBad ? "a" : template, !isBad);
          assert.ok(farm.quarantined().length <= 2);
        }
        const failedOn = new Set(attempts.filter(({ isBad }) => isBad).map(({ host }) => host));
        if (failedOn.size < 3) return;
        // Once it is known, nothing is left of what the hosts were charged with.
        assert.equal(isToBlame(farm.pool.templates.get(templateCreate("a").id)?.trouble, farm.pool.settings), true);
        assert.deepEqual(farm.quarantined(), []);
        for (const { trouble } of farm.pool.hosts.values()) assert.deepEqual(trouble?.failures ?? [], []);
      }),
      { numRuns: 150 },
    );
  });

  it("a host on which every template fails is taken out, while the others work", () => {
    const attempt = fc.record({ host: fc.nat(9), template: fc.constantFrom(...templates) });
    fc.assert(
      fc.property(fc.array(attempt, { minLength: 60, maxLength: 120, size: "max" }), (attempts) => {
        const farm = new Farm(10);
        for (const { host, template } of attempts) farm.make(`mac-${host}`, template, host !== 3);
        const bad = farm.pool.hosts.get(asHostId("mac-3")) ?? assert.fail();
        const failures = attempts.filter(({ host }) => host === 3).length;
        assert.equal(isShut(bad), failures >= 3, `${failures} failures`);
        assert.deepEqual(farm.quarantined(), failures >= 3 ? ["mac-3"] : []);
      }),
      { numRuns: 150 },
    );
  });
});
