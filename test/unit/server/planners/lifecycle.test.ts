import assert from "node:assert/strict";
import { planVmStep } from "../../../../server/planners/lifecycle.ts";
import { type VmRecord, vmStates, type WantedState } from "../../../../server/pool/vm.ts";
import { kindUnderWay, sentTrigger, vmMoves } from "../../../../server/pool/vm-machine.ts";
import { asCommandId, asHostId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";

const nowMs = 1_000_000;
const wishes: readonly WantedState[] = ["running", "stopped", "suspended", "paused", "deleted"];
const hasHost = vmStates.filter((state) => state !== "PENDING" && state !== "DELETED");

describe("the lifecycle planner", () => {
  let made: VmRecord;

  before(async () => {
    const pool = await PoolDriver.open();
    made = { ...(await pool.create("a")), host: asHostId("mac-1"), attempt: 1 };
    await pool.close();
  });

  function vmIn(state: VmRecord["state"], wanted: WantedState, fields: Partial<VmRecord> = {}): VmRecord {
    return { ...made, state, spec: { ...made.spec, wanted }, ...fields };
  }

  it("proposes only what the table of moves allows, in every state and for every wish", () => {
    for (const state of hasHost) {
      for (const wanted of wishes) {
        for (const force of [false, true]) {
          const step = planVmStep(vmIn(state, wanted, { force, pendingAction: "restart" }), nowMs);
          if (step === undefined) continue;
          assert.equal(step.type, "vm-commanded");
          const move = step.type === "vm-commanded" ? vmMoves[state][sentTrigger(step.kind)] : "impossible";
          const isCreateAgain = step.type === "vm-commanded" && step.kind === "create";
          assert.ok(isCreateAgain || move !== "impossible", `${state}, wanted ${wanted}`);
        }
      }
    }
  });

  it("brings every VM that is on its way and has no command a step further, whatever is wanted", () => {
    for (const state of hasHost.filter((each) => kindUnderWay(each) !== undefined)) {
      for (const wanted of wishes)
        assert.notEqual(planVmStep(vmIn(state, wanted), nowMs), undefined, `${state}, ${wanted}`);
    }
  });

  it("proposes nothing for a VM that is as it is wanted, nor for one that is unknown", () => {
    const resting = { running: "RUNNING", stopped: "STOPPED", suspended: "SUSPENDED", paused: "PAUSED" } as const;
    for (const wanted of ["running", "stopped", "suspended", "paused"] as const) {
      assert.equal(planVmStep(vmIn(resting[wanted], wanted), nowMs), undefined);
      assert.equal(planVmStep(vmIn("UNKNOWN", wanted), nowMs), undefined);
      assert.equal(planVmStep(vmIn("FAILED", wanted), nowMs), undefined);
    }
  });

  it("waits for the time at which a step is tried again, and no longer", () => {
    for (const wanted of ["running", "deleted"] as const) {
      assert.equal(planVmStep(vmIn("STOPPED", wanted, { retryAtMs: nowMs + 1 }), nowMs), undefined);
      assert.notEqual(planVmStep(vmIn("STOPPED", wanted, { retryAtMs: nowMs }), nowMs), undefined);
    }
  });

  it("lets nothing but a delete, or a stop of a VM that is starting, take the place of a command", () => {
    for (const state of hasHost) {
      const kind = kindUnderWay(state);
      if (kind === undefined) continue;
      const command = { id: asCommandId("c"), kind, state: "ACCEPTED", force: false, generation: 1 } as const;
      for (const wanted of wishes) {
        const step = planVmStep(vmIn(state, wanted, { command }), nowMs);
        const isInVain = wanted === "deleted" || (wanted === "stopped" && state === "STARTING");
        assert.equal(step !== undefined, isInVain, `${state}, wanted ${wanted}`);
      }
    }
  });

  it("lets force take the place of what was asked for without it, and of nothing else", () => {
    const stop = (force: boolean) =>
      ({ id: asCommandId("c"), kind: "stop", state: "SENT", force, generation: 1 }) as const;
    const remove = (force: boolean) => ({ ...stop(force), kind: "delete" }) as const;
    const isReplaced = (fields: Partial<VmRecord>, wanted: WantedState): boolean =>
      planVmStep(vmIn(wanted === "deleted" ? "DELETING" : "STOPPING", wanted, fields), nowMs) !== undefined;
    assert.equal(isReplaced({ command: stop(false), force: true }, "stopped"), true);
    assert.equal(isReplaced({ command: stop(true), force: true }, "stopped"), false);
    assert.equal(isReplaced({ command: stop(false), force: true }, "running"), false);
    assert.equal(isReplaced({ command: remove(false), force: true }, "deleted"), true);
    assert.equal(isReplaced({ command: remove(true), force: true }, "deleted"), false);
  });

  it("ends a VM that is wanted deleted and stands on no host, and leaves one that waits alone", () => {
    const nowhere = { host: undefined, sight: undefined };
    assert.equal(planVmStep(vmIn("PENDING", "deleted", nowhere), nowMs)?.type, "vm-want");
    assert.equal(planVmStep(vmIn("FAILED", "deleted", nowhere), nowMs)?.type, "vm-want");
    assert.equal(planVmStep(vmIn("DELETED", "deleted", nowhere), nowMs), undefined);
    assert.equal(planVmStep(vmIn("PENDING", "running", nowhere), nowMs), undefined);
  });
});
