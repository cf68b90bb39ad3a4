import assert from "node:assert/strict";
import { type PowerVerb, powerRules } from "../../../simulator/power-rules.ts";
import { ServiceError } from "../../../simulator/service-error.ts";
import type { VmState } from "../../../simulator/vm.ts";
import { buildMac } from "./builders.ts";
import { settle } from "./manual-clock.ts";

/** What each verb makes of each lasting state, from the service's documented rules; a number is the status of a refusal. */
const expected: Readonly<Record<PowerVerb, Readonly<Record<string, VmState | 400 | 404>>>> = {
  start: { stopped: "running", running: "running", paused: 400, suspended: 400, invalid: 400 },
  stop: { stopped: "stopped", running: "stopped", paused: 400, suspended: 400, invalid: 400 },
  restart: { stopped: "stopped", running: "running", paused: 400, suspended: 400, invalid: 400 },
  pause: { stopped: 400, running: "paused", paused: "paused", suspended: 400, invalid: 400 },
  suspend: { stopped: 400, running: "suspended", paused: 400, suspended: "suspended", invalid: 400 },
  resume: { stopped: 400, running: 400, paused: "running", suspended: "running", invalid: 400 },
  reset: { stopped: "stopped", running: "running", paused: 404, suspended: 404, invalid: 404 },
};
const lasting = ["stopped", "running", "paused", "suspended", "invalid"] as const;

describe("the states of simulated VMs", () => {
  for (const verb of Object.keys(powerRules) as PowerVerb[]) {
    for (const state of lasting) {
      it(`${verb} of a VM that is ${state} ends as the service has it`, async () => {
        const { mac } = buildMac({ vms: [{ name: "one", state }] });
        const outcome = expected[verb][state];
        if (typeof outcome === "number") {
          await assert.rejects(mac.changeState("one", verb), { name: "ServiceError", status: outcome });
          assert.equal(mac.person.vm("one").state, state);
        } else {
          await mac.changeState("one", verb);
          assert.equal(mac.person.vm("one").state, outcome);
        }
      });
    }
  }

  it("a forced stop cuts the power and drops a saved state, but not of a paused VM", async () => {
    const { mac } = buildMac({
      vms: [
        { name: "running", state: "running" },
        { name: "suspended", state: "suspended" },
        { name: "paused", state: "paused" },
      ],
    });
    await mac.changeState("running", "stop", true);
    await mac.changeState("suspended", "stop", true);
    assert.equal(mac.person.vm("running").state, "stopped");
    assert.equal(mac.person.vm("suspended").state, "stopped");
    await assert.rejects(mac.changeState("paused", "stop", true), { status: 404, message: /paused/ });
  });

  it("a start is told in the order of the real service", async () => {
    const { mac, told } = buildMac({ vms: [{ name: "one" }] });
    await mac.changeState("one", "start");
    await settle();
    assert.deepEqual(told, [
      "one stopped->starting",
      "one starting->running",
      "vm-updated one",
      "macos-vms-running 1",
      "vm-updated one with address",
    ]);
  });

  it("with delays the address comes only after the boot", async () => {
    const delays = { start: [1_000, 1_000], boot: [8_000, 8_000] } as const;
    const { mac, clock } = buildMac({ vms: [{ name: "one" }], delays });
    const started = mac.changeState("one", "start");
    await clock.advance(500);
    assert.equal(mac.person.vm("one").state, "starting");
    await clock.advance(500);
    assert.equal((await started).state, "running");
    assert.equal(mac.person.vm("one").address, "");
    await clock.advance(8_000);
    assert.equal(mac.person.vm("one").address, "127.0.4.1");
  });

  it("a VM that is stopped before it has booted gets no address later", async () => {
    const { mac, clock } = buildMac({ vms: [{ name: "one" }], delays: { boot: [8_000, 8_000] } });
    await mac.changeState("one", "start");
    await mac.changeState("one", "stop");
    await clock.advance(20_000);
    assert.equal(mac.person.vm("one").address, "");
  });

  it("a pause keeps the guest's address and a stop takes it", async () => {
    const { mac } = buildMac({ vms: [{ name: "one", state: "running" }] });
    await settle();
    const { address } = mac.person.vm("one");
    await mac.changeState("one", "pause");
    assert.equal(mac.person.vm("one").address, address);
    await mac.changeState("one", "resume");
    assert.equal(mac.person.vm("one").address, address);
    await mac.changeState("one", "stop");
    assert.equal(mac.person.vm("one").address, "");
  });

  it("the third macOS guest is refused, also when it would resume, and another system is not", async () => {
    const { mac } = buildMac({
      vms: [
        { name: "a", state: "running" },
        { name: "b", state: "paused" },
        { name: "c" },
        { name: "d", state: "suspended" },
        { name: "linux", os: "ubuntu" },
      ],
    });
    for (const [name, verb] of [
      ["c", "start"],
      ["d", "resume"],
    ] as const) {
      await assert.rejects(mac.changeState(name, verb), (error) => {
        assert(error instanceof ServiceError);
        assert.equal(error.status, 404);
        assert.match(error.message, /limit/);
        return true;
      });
    }
    await mac.changeState("linux", "start");
    await mac.changeState("a", "stop");
    await mac.changeState("c", "start");
    assert.equal(mac.person.vm("c").state, "running");
  });

  it("two starts at once cannot both take the last macOS slot", async () => {
    const { mac, clock } = buildMac({
      vms: [{ name: "a", state: "running" }, { name: "b" }, { name: "c" }],
      delays: { start: [100, 100] },
    });
    const starts = Promise.allSettled([mac.changeState("b", "start"), mac.changeState("c", "start")]);
    await clock.advance(200);
    assert.deepEqual(
      (await starts).map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
  });

  it("without a valid licence no VM starts", async () => {
    const { mac } = buildMac({ vms: [{ name: "one" }] });
    mac.setLicence("expired");
    await assert.rejects(mac.changeState("one", "start"), { status: 404, message: /license/ });
    mac.setLicence("valid");
    await mac.changeState("one", "start");
  });

  it("a start that a person cuts short fails and leaves the VM as the person left it", async () => {
    const { mac, clock } = buildMac({ vms: [{ name: "one" }], delays: { start: [1_000, 1_000] } });
    const started = mac.changeState("one", "start");
    const failed = assert.rejects(started, { status: 404 });
    await clock.advance(500);
    mac.person.stopVm("one");
    await clock.advance(1_000);
    await failed;
    assert.equal(mac.person.vm("one").state, "stopped");
  });
});
