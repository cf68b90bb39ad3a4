import assert from "node:assert/strict";
import * as fc from "fast-check";
import { readHello, readInventory, readReport, readUse } from "../../../../server/sessions/host-messages.ts";
import { Unacceptable } from "../../../../server/sessions/unacceptable.ts";
import type { CommandUpdate_State } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { heartbeatOf, helloOf, hostVmOf, inventoryOf, STATE_FAILED, STATE_RUNNING, updateOf } from "./agent-client.ts";

const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Number.NaN, -1, Number.MAX_SAFE_INTEGER, Infinity));
const string = fc.oneof(
  fc.string({ unit: "binary", maxLength: 2000 }),
  fc.constantFrom("", "mac-1", "arm64", "\u0000\u202e", "x".repeat(5000)),
);
const amounts = fc.option(fc.record({ cpuCount: number, memoryMib: number, diskMib: number }), { nil: undefined });
const condition = fc.record({ type: string, holds: fc.boolean(), reason: string, message: string });
const heartbeat = fc.record({
  inUse: amounts,
  diskFreeMib: number,
  diskTotalMib: number,
  macosGuests: number,
  conditions: fc.array(condition, { maxLength: 70 }),
  inventorySequence: number,
});
const hostVm = fc.record({
  id: string,
  name: string,
  state: string,
  os: string,
  resources: amounts,
  ipAddresses: fc.array(string, { maxLength: 40 }),
  macos: fc.boolean(),
  uptimeSeconds: number,
});
const image = fc.record({ catalogId: string, version: string, architecture: string, sizeMib: number });
const inventory = fc.record({
  sequence: number,
  whole: fc.boolean(),
  vms: fc.array(hostVm, { maxLength: 5 }),
  removedIds: fc.array(string, { maxLength: 5 }),
  images: fc.array(image, { maxLength: 5 }),
  imagesChanged: fc.boolean(),
});
// An enum may hold any number on the wire.
const state = fc.integer({ min: -2, max: 9 }).map((value) => value as CommandUpdate_State);
const update = fc.record({
  commandId: string,
  vmUid: string,
  state,
  progress: fc.option(fc.record({ step: string, percent: number, etaMs: number, message: string }), { nil: undefined }),
  failure: fc.option(
    fc.record({
      reason: string,
      message: string,
      suspect: fc.constantFrom(0, 1, 2, 3, 4, 5, -1),
      retryable: fc.boolean(),
    }),
    { nil: undefined },
  ),
  vm: fc.option(hostVm, { nil: undefined }),
  exec: fc.constant(undefined),
  vmUnknown: fc.boolean(),
});

describe("host messages", () => {
  it("become values within their bounds or are refused, whatever they hold", () => {
    fc.assert(
      fc.property(heartbeat, inventory, update, (beat, seen, told) => {
        for (const read of [() => readUse(beat), () => readInventory(seen), () => readReport(told)]) {
          try {
            checkBounds(read());
          } catch (error) {
            if (!(error instanceof Unacceptable)) throw error;
            assert.doesNotThrow(() => encodeURI(error.message));
          }
        }
      }),
    );
  });

  it("are refused with a reason when a list is too long", () => {
    const vms = Array.from({ length: 1001 }, (_, n) => hostVmOf({ id: `vm-${n}` }));
    const [vm] = vms;
    assert.ok(vm !== undefined);
    const image = { catalogId: "a", version: "1", architecture: "arm64", sizeMib: 1 };
    const condition = { type: "A", holds: true, reason: "", message: "" };
    for (const [read, message] of [
      [() => readInventory(inventoryOf({ vms })), /1001 VMs/],
      [() => readInventory(inventoryOf({ removedIds: vms.map(({ id }) => id) })), /1001 removed VMs/],
      [() => readInventory(inventoryOf({ images: vms.map(() => image) })), /1001 images/],
      [() => readUse(heartbeatOf({ conditions: vms.map(() => condition) })), /1001 conditions/],
      [() => readHello(helloOf({ commands: vms.map(() => updateOf("a", STATE_RUNNING)) })), /1001 commands/],
    ] as const) {
      assert.throws(read, message);
    }
  });

  it("are refused when an id is missing, too long or not printable", () => {
    for (const id of ["", "x".repeat(129), "a\u0000b"]) {
      assert.throws(() => readInventory(inventoryOf({ vms: [hostVmOf({ id })] })), Unacceptable);
      assert.throws(() => readInventory(inventoryOf({ removedIds: [id] })), Unacceptable);
    }
    assert.equal(readReport(updateOf("", STATE_RUNNING)), undefined);
    assert.throws(() => readReport(updateOf("x".repeat(129), STATE_RUNNING)), Unacceptable);
  });

  it("have numbers held within their bounds", () => {
    const [vm] = readInventory(
      inventoryOf({
        vms: [hostVmOf({ resources: { cpuCount: -1, memoryMib: Number.NaN, diskMib: 1e300 }, uptimeSeconds: 1.5 })],
      }),
    ).vms;
    assert.deepEqual(vm?.resources, { cpuCount: 0, memoryMib: 0, diskMib: 1024 ** 3 });
    assert.equal(vm.uptimeSeconds, 1);
    const report = readReport(
      updateOf("a", STATE_RUNNING, { progress: { step: "pull", percent: 101, etaMs: -5, message: "" } }),
    );
    assert.deepEqual(report?.progress, { step: "pull", percent: 100, etaMs: 0, message: "" });
  });

  it("have the newest word on a VM that is told of twice", () => {
    const { vms } = readInventory(
      inventoryOf({ vms: [hostVmOf({ state: "stopped" }), hostVmOf({ state: "running" })] }),
    );
    assert.deepEqual(
      vms.map((vm) => vm.state),
      ["running"],
    );
  });

  it("mean images only when they say so", () => {
    const images = [{ catalogId: "a", version: "1", architecture: "arm64", sizeMib: 7 }];
    assert.equal(readInventory(inventoryOf({ images })).images, undefined);
    assert.deepEqual(readInventory(inventoryOf({ images, imagesChanged: true })).images, images);
    assert.deepEqual(readInventory(inventoryOf({ whole: true })).images, []);
  });

  it("are ignored in states and without suspects that this server does not know", () => {
    assert.equal(readReport(updateOf("a", 0)), undefined);
    assert.equal(readReport(updateOf("a", 17 as CommandUpdate_State)), undefined);
    const failure = { reason: "", message: "m", suspect: 17 as 0, retryable: true };
    assert.deepEqual(readReport(updateOf("a", STATE_FAILED, { failure }))?.failure, {
      reason: "Unknown",
      message: "m",
      suspect: "none",
      isRetryable: true,
    });
  });
});

/** No number that is none, negative or huge; no text with control characters or without end. */
function checkBounds(value: unknown): void {
  if (typeof value === "number") assert.ok(value >= 0 && value <= Number.MAX_SAFE_INTEGER, String(value));
  if (typeof value === "string") {
    assert.ok(value.length <= 1024);
    assert.ok(value.isWellFormed() || value.length < 1024);
    for (const character of value) assert.ok(character >= " ", "a control character");
  }
  if (typeof value === "object" && value !== null) for (const part of Object.values(value)) checkBounds(part);
}
