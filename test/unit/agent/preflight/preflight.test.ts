import assert from "node:assert/strict";
import { evaluateConditions, eventsGraceMs } from "../../../../agent/preflight/conditions.ts";
import { areSameFacts, describeHost } from "../../../../agent/preflight/host-facts.ts";
import { defaultSurveyTuning, Survey } from "../../../../agent/preflight/survey.ts";
import type { HostCondition } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { FakeClock, settle } from "../../../support/agent/fake-clock.ts";
import { FakeParallels, failing } from "../../../support/agent/fake-parallels.ts";

describe("the preflight", () => {
  let clock: FakeClock;
  let parallels: FakeParallels;
  let survey: Survey;

  beforeEach(() => {
    clock = new FakeClock();
    parallels = new FakeParallels();
    survey = new Survey({ parallels, clock, tuning: defaultSurveyTuning, onLooked: () => undefined });
  });

  afterEach(() => survey.close());

  const broken = (diskReserveMib = 0): (string | undefined)[] =>
    conditions(diskReserveMib)
      .filter((condition) => !condition.holds)
      .map((condition) => `${condition.type} ${condition.reason}`);

  const conditions = (diskReserveMib = 0): HostCondition[] =>
    evaluateConditions(survey.result, { nowMs: clock.monotonicMs(), diskReserveMib });

  async function look(): Promise<void> {
    await survey.look();
    survey.noteEvents(true);
  }

  it("finds nothing wrong with a Mac that is in order, and says so of each condition", async () => {
    await look();
    assert.deepEqual(broken(), []);
    assert.deepEqual(
      conditions().map((condition) => condition.type),
      ["ParallelsReachable", "ParallelsVersionSupported", "LicenceValid", "DiskAboveReserve", "EventsFlowing"],
    );
  });

  it("lets nothing pass that was never looked at", () => {
    assert.deepEqual(
      broken().map((line) => line?.split(" ")[0]),
      ["ParallelsReachable", "ParallelsVersionSupported", "LicenceValid", "DiskAboveReserve"],
    );
  });

  for (const [kind, reason] of [
    ["unreachable", "Unreachable"],
    ["timed-out", "TimedOut"],
    ["unauthorised", "CredentialsRefused"],
    ["failed", "Failing"],
  ] as const) {
    it(`names a local API that is ${kind}, and keeps what it read before`, async () => {
      await look();
      parallels.interfere = failing(kind, () => true);
      await look();
      assert.deepEqual(broken(), [`ParallelsReachable ${reason}`]);
    });
  }

  it("names a licence that is not valid, in the words of Parallels Desktop", async () => {
    parallels.licence = { state: "expired", isValid: false, hardwareId: "" };
    await look();
    assert.deepEqual(broken(), ["LicenceValid LicenceNotValid"]);
    assert.match(conditions()[2]?.message ?? "", /"expired"/);
  });

  it("takes the word of the hardware where the service has no route for the licence", async () => {
    parallels.interfere = failing("failed", ({ method }) => method === "readLicence");
    await look();
    assert.deepEqual(broken(), []);
    parallels.hardware = { ...parallels.hardware, isLicensed: false };
    await look();
    assert.deepEqual(broken(), ["LicenceValid LicenceNotValid"]);
  });

  it("names a disk below the reserve, and not one that is exactly at it", async () => {
    parallels.disk = { freeMib: 1_000, totalMib: 10_000 };
    await look();
    assert.deepEqual(broken(1_000), []);
    assert.deepEqual(broken(1_001), ["DiskAboveReserve BelowReserve"]);
  });

  it("names what is too old, and believes a version that it cannot read", async () => {
    parallels.hardware = { ...parallels.hardware, serviceVersion: "0.9.14" };
    await look();
    assert.deepEqual(broken(), ["ParallelsVersionSupported ServiceTooOld"]);
    parallels.hardware = { ...parallels.hardware, serviceVersion: "1.0.4", parallelsVersion: "18.3.1 (53614)" };
    await look();
    assert.deepEqual(broken(), ["ParallelsVersionSupported ParallelsTooOld"]);
    parallels.hardware = { ...parallels.hardware, serviceVersion: "0.0.0", parallelsVersion: "unknown" };
    await look();
    assert.deepEqual(broken(), []);
  });

  it("names an event socket that stays away longer than a reconnection takes", async () => {
    await look();
    survey.noteEvents(false);
    await clock.advance(eventsGraceMs - 1);
    assert.deepEqual(broken(), []);
    await clock.advance(1);
    assert.deepEqual(broken(), ["EventsFlowing Silent"]);
    survey.noteEvents(true);
    assert.deepEqual(broken(), []);
  });

  it("looks again periodically, and soon after a call has failed", async () => {
    await look();
    await clock.advance(defaultSurveyTuning.periodMs);
    assert.equal(parallels.countCalls("readHardware"), 2);
    for (let failure = 0; failure < 10; failure += 1) survey.noteFailure();
    await clock.advance(defaultSurveyTuning.afterFailureMs);
    await settle();
    assert.equal(parallels.countCalls("readHardware"), 3);
  });

  it("takes neither the disk's size nor a lost address for new facts, but a new version", async () => {
    const own = { agentVersion: "1", architecture: "arm64", address: "" };
    await look();
    const before = describeHost(survey.result, own);
    parallels.hardware = { ...parallels.hardware, address: "" };
    parallels.disk = { freeMib: 1, totalMib: 994_000 };
    await look();
    assert.equal(areSameFacts(before, describeHost(survey.result, own)), true);
    parallels.hardware = { ...parallels.hardware, parallelsVersion: "21.0.0" };
    await look();
    assert.equal(areSameFacts(before, describeHost(survey.result, own)), false);
  });
});
