import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { TemplateJudge } from "../../../../server/pool/events/templates.ts";
import { revokedPerBatchMax } from "../../../../server/pool/limits.ts";
import { asTemplateId, asVmId, type TemplateId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { defaultTemplate, sized, templateCreate, templateSpec, vmCreate, vmWant } from "../../../support/pool/specs.ts";

const large = sized(12);
const reason = "the signing key leaked";

function judge(state: TemplateJudge["state"], fields: Partial<TemplateJudge> = {}): TemplateJudge {
  return { type: "template-judge", id: defaultTemplate, state, reason, by: "serviceAccounts/security", ...fields };
}

describe("a revoked template", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const batchOf = (id: string, state: string): number | undefined =>
    pool.batches.find(({ changes }) =>
      changes.some((change) => change.kind === "vm" && change.id === id && change.after?.state === state),
    )?.revision;

  it("fails what waits and has what is being made removed, in the commit that revokes it", async () => {
    host.always("create", accept);
    await pool.create("making", large);
    await pool.create("waiting", large);
    host.always("delete", hold);
    const { revision } = await pool.submit(judge("REVOKED"));
    assert.equal(batchOf("waiting", "FAILED"), revision);
    assert.equal(pool.vm("waiting").failure?.reason, "TemplateRevoked");
    assert.match(pool.vm("waiting").message, /the signing key leaked/);
    assert.equal(batchOf("making", "DELETING"), revision);
    assert.equal(pool.vm("making").failure?.suspect, "template");
    assert.equal(pool.vm("making").message, "its template was revoked before it had come up");
    assert.equal(pool.view().queuePosition(asVmId("waiting")), 0);
  });

  it("removes what is being made from its host, and from one that is away when it returns", async () => {
    const away = await pool.addHost("mac-2");
    for (const each of [host, away]) each.always("create", hold);
    await pool.create("here", large);
    await pool.create("there", large);
    assert.deepEqual(new Set([pool.vm("here").host, pool.vm("there").host]), new Set([host.id, away.id]));
    const lost = pool.vm("here").host === host.id ? away : host;
    await lost.disconnect();
    await pool.submit(judge("REVOKED"));
    await pool.connect(lost);
    assert.deepEqual([pool.vm("here").state, pool.vm("there").state], ["DELETED", "DELETED"]);
    assert.equal(pool.vm("here").timeline.at(-1)?.reason, "TemplateRevoked");
  });

  it("ends what comes back to the queue after the revocation", async () => {
    await pool.create("run", { ...large, onHostLost: "replace" });
    assert.equal(pool.vm("run").state, "RUNNING");
    await pool.submit(judge("REVOKED"));
    assert.equal(pool.vm("run").state, "RUNNING", "it had come up");
    await host.disconnect();
    const { startGraceMs, lostAfterMs } = pool.view().settings.hosts;
    await pool.advance(startGraceMs + lostAfterMs);
    await pool.addHost("mac-2");
    assert.equal(
      pool.vm("run").timeline.some(({ state }) => state === "PENDING" && pool.vm("run").attempt > 1),
      false,
    );
    assert.ok(["FAILED", "DELETED"].includes(pool.vm("run").state), pool.vm("run").state);
    assert.equal(pool.vm("run").failure?.reason, "TemplateRevoked");
  });

  it("accepts no VM and no copy, and again after it was restored", async () => {
    await pool.create("original");
    await pool.submit(vmWant("original", "stopped"));
    await pool.submit(judge("REVOKED"));
    await pool.refuses(vmCreate("new"), "TEMPLATE_REVOKED");
    await pool.refuses(vmCreate("copy", { sourceVm: asVmId("original") }), "TEMPLATE_REVOKED");
    await pool.refuses({ type: "vm-batch-create", vms: [vmCreate("new")], fit: "wait" }, "TEMPLATE_REVOKED");
    await pool.submit(judge("ACTIVE", { reason: "" }));
    await pool.create("new");
    assert.equal(pool.vm("new").state, "RUNNING");
  });

  it("stops what runs if that was asked, and lets nobody start it again before it is restored", async () => {
    for (const name of ["run", "rest", "sleep"]) await pool.create(name);
    await pool.submit(vmWant("rest", "stopped"));
    await pool.submit(vmWant("sleep", "suspended"));
    await pool.submit(judge("REVOKED", { stopsRunning: true }));
    assert.deepEqual(
      ["run", "rest", "sleep"].map((name) => pool.vm(name).state),
      ["STOPPED", "STOPPED", "SUSPENDED"],
    );
    assert.equal(host.received.at(-1)?.force, true);
    for (const name of ["run", "rest", "sleep"]) await pool.refuses(vmWant(name, "running"), "TEMPLATE_REVOKED");
    const { spec, generation } = pool.vm("run");
    await pool.submit({
      type: "vm-update",
      id: asVmId("run"),
      baseGeneration: generation,
      spec: { ...spec, wanted: "running" },
    });
    assert.equal(pool.vm("run").state, "STOPPED", "nor by the spec");
    await pool.submit(judge("ACTIVE", { reason: "" }));
    await pool.submit(vmWant("run", "running"));
    assert.equal(pool.vm("run").state, "RUNNING");
  });

  it("stops what runs on a host that is away when that returns", async () => {
    await pool.create("run");
    await host.disconnect();
    await pool.submit(judge("REVOKED", { stopsRunning: true }));
    await pool.connect(host);
    await pool.advance(1000);
    assert.equal(pool.vm("run").state, "STOPPED");
  });

  it("places nothing, and loses nobody, with more waiting than one commit bears, also over a restart", async () => {
    await pool.create("run", large);
    const count = revokedPerBatchMax + 3_000;
    for (let index = 0; index < count; index += 1) {
      void pool.engine.submit(vmCreate(`waiting-${index}`, large));
    }
    await pool.settle();
    const revoked = pool.engine.submit(judge("REVOKED"));
    assert.equal(pool.view().waiting.size, 0, "out of the queue at once");
    const freed = pool.engine.submit(vmWant("run", "deleted"));
    const { revision } = await revoked;
    await freed;
    const failedAt = (from: number): number =>
      pool.batches
        .filter((batch) => batch.revision >= from)
        .flatMap(({ changes }) => changes)
        .filter((change) => change.kind === "vm" && change.after?.state === "FAILED").length;
    assert.ok(failedAt(revision) >= revokedPerBatchMax);
    pool = await pool.restart();
    for (let turn = 0; turn < 100 && pool.view().countVms("FAILED") < count; turn += 1) await pool.settle();
    assert.equal(pool.view().countVms("FAILED"), count);
    assert.equal(pool.view().countVms("PENDING"), 0);
  });

  it("is not deleted from under those that have not been told yet", async () => {
    await pool.create("run", large);
    await pool.create("waiting", large);
    await pool.refuses({ type: "template-delete", id: defaultTemplate }, "RESOURCE_IN_USE");
    await pool.submit(judge("REVOKED"));
    await pool.submit({ type: "template-delete", id: defaultTemplate });
  });

  it("says nothing new when the same is said again", async () => {
    const first = await pool.submit(judge("REVOKED", { stopsRunning: true }));
    const again = await pool.submit(judge("REVOKED"));
    assert.equal(again.revision, first.revision);
    assert.equal(again.standing?.stopsRunning, true);
  });

  it("has no VM placed at or after its revision, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const driver = await PoolDriver.open();
        try {
          await playAll(driver, steps);
          assertNonePlaced(driver);
        } finally {
          await driver.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a template's access", () => {
  let pool: PoolDriver;
  const ios = asTemplateId("ios");

  beforeEach(async () => {
    pool = await PoolDriver.open();
    await pool.addHost("mac-1");
    await pool.submit(templateCreate("ios", { access: { projects: ["ios"], roles: ["operator"] } }));
  });
  afterEach(() => pool.close());

  it("lets in who is of one of its projects and roles, and nobody else", async () => {
    const ask = (project: string, role: "user" | "operator" | "admin") => ({
      ...vmCreate("a", { template: ios, project }),
      role,
    });
    await pool.refuses(ask("web", "admin"), "TEMPLATE_NOT_ALLOWED");
    await pool.refuses(ask("ios", "user"), "TEMPLATE_NOT_ALLOWED");
    const batch = { type: "vm-batch-create", vms: [ask("ios", "user")], role: "user", fit: "wait" } as const;
    await pool.refuses(batch, "TEMPLATE_NOT_ALLOWED");
    await pool.submit(ask("ios", "admin"));
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("holds for copies too", async () => {
    await pool.create("a", { template: ios, project: "ios" });
    await pool.submit(vmWant("a", "stopped"));
    await pool.refuses(
      vmCreate("copy", { template: ios, project: "web", sourceVm: asVmId("a") }),
      "TEMPLATE_NOT_ALLOWED",
    );
  });

  it("leaves those alone that were let in before it changed", async () => {
    await pool.create("a", { template: ios, project: "ios" });
    const access = { projects: ["web"], roles: [] };
    await pool.submit({ type: "template-update", id: ios, baseGeneration: 1, spec: templateSpec({ access }) });
    assert.equal(pool.vm("a").state, "RUNNING");
  });
});

describe("a tainted template", () => {
  it("is used, and its new VMs say so", async () => {
    const pool = await PoolDriver.open();
    await pool.addHost("mac-1");
    await pool.create("before");
    await pool.submit(judge("TAINTED"));
    await pool.create("after");
    assert.equal(pool.vm("before").taint, undefined);
    assert.equal(pool.vm("after").taint, reason);
    assert.equal(pool.vm("after").state, "RUNNING");
    await pool.close();
  });
});

type Step =
  | { readonly kind: "create" | "delete"; readonly index: number; readonly template: TemplateId }
  | { readonly kind: "judge"; readonly state: TemplateJudge["state"] }
  | { readonly kind: "flap"; readonly index: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "settle" };

const other = asTemplateId("other");
const index = fc.nat({ max: 11 });
const template = fc.constantFrom(defaultTemplate, other);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("create" as const), index, template }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), index, template }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("judge" as const),
      state: fc.constantFrom("ACTIVE", "TAINTED", "REVOKED", "REVOKED"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("flap" as const), index: fc.nat({ max: 1 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1000, 60_000, 7_200_000) }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: "settle" as const }) },
);

/** Without waiting between the steps unless one says so: so that they meet in one batch, and while one is synced. */
async function playAll(driver: PoolDriver, steps: readonly Step[]): Promise<void> {
  await driver.submit(templateCreate("other"));
  for (const name of ["mac-0", "mac-1"]) await driver.addHost(name);
  const ignore = (outcome: Promise<unknown>): void => void outcome.catch(() => undefined);
  for (const each of steps) {
    switch (each.kind) {
      case "create":
        ignore(
          driver.engine.submit(
            vmCreate(`vm-${each.index}`, {
              ...sized(6),
              template: each.template,
              onHostLost: "replace",
              retryAttempts: 2,
            }),
          ),
        );
        break;
      case "delete":
        ignore(driver.engine.submit(vmWant(`vm-${each.index}`, "deleted", { force: true })));
        break;
      case "judge":
        ignore(driver.engine.submit(judge(each.state)));
        break;
      case "flap": {
        const flapping = driver.host(`mac-${each.index}`);
        if (flapping.isConnected) await flapping.disconnect();
        else await driver.connect(flapping);
        break;
      }
      case "pass":
        await driver.advance(each.ms);
        break;
      case "settle":
        await driver.settle();
        break;
      default:
        each satisfies never;
    }
  }
  for (let turn = 0; turn < 20; turn += 1) await driver.settle();
}

/** By what became durable, in its order: a batch is after the revocation that it holds. */
function assertNonePlaced(driver: PoolDriver): void {
  let isRevoked = false;
  for (const { revision, changes } of driver.batches) {
    const wasRevoked = isRevoked;
    for (const change of changes) {
      if (change.kind === "template" && change.id === defaultTemplate) {
        isRevoked = change.after?.standing?.state === "REVOKED";
      }
    }
    // A batch may hold a revocation and a restoring: what it holds of placements was either before or after both.
    if (!isRevoked || !wasRevoked) continue;
    for (const change of changes) {
      if (change.kind !== "vm" || change.after?.spec.template !== defaultTemplate) continue;
      const placedBefore = change.before?.uid === change.after.uid ? change.before.attempt : 0;
      assert.equal(change.after.attempt, placedBefore, `${change.id} was placed in revision ${revision}`);
    }
  }
  if (!isRevoked) return;
  for (const vm of driver.view().vms.values()) {
    if (vm.spec.template === defaultTemplate) assert.notEqual(vm.state, "PENDING", `${vm.id} waits in vain`);
  }
}
