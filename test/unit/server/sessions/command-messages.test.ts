import assert from "node:assert/strict";
import type { PoolView } from "../../../../server/pool/view.ts";
import type { CommandKind, Readiness, VmImage, VmRecord } from "../../../../server/pool/vm.ts";
import { writeCommand } from "../../../../server/sessions/command-messages.ts";
import { asCatalogId, asCommandId, asHostId, asTemplateId, asUid, asVmId, hostVmName } from "../../../../shared/ids.ts";

const uid = asUid("0123456789abcdef0123456789abcdef");
const readiness: Readiness = { probe: { kind: "guest-tools" }, periodMs: 1000, timeoutMs: 300_000 };

describe("command messages", () => {
  const expected: readonly (readonly [CommandKind, number, object])[] = [
    ["start", 420_000, { start: { readiness: written({ $case: "guestTools", guestTools: true }) } }],
    ["resume", 420_000, { resume: { readiness: written({ $case: "guestTools", guestTools: true }) } }],
    ["restart", 420_000, { restart: { readiness: written({ $case: "guestTools", guestTools: true }) } }],
    ["reset", 420_000, { reset: { readiness: written({ $case: "guestTools", guestTools: true }) } }],
    ["stop", 300_000, { stop: { force: true } }],
    ["suspend", 300_000, { suspend: {} }],
    ["pause", 300_000, { pause: {} }],
    ["delete", 300_000, { delete: { force: true } }],
  ];
  for (const [kind, silenceLimitMs, action] of expected) {
    it(`order to ${kind} with its limit of silence`, () => {
      assert.deepEqual(write(kind), {
        kind: "message",
        message: {
          id: `${uid}-2`,
          vmUid: uid,
          generation: 3,
          leaseMs: 0,
          silenceLimitMs,
          hostVmName: hostVmName(uid, 4),
          hostVmId: "seen-id",
          action: { $case: kind, ...action },
        },
      });
    });
  }

  it("carry the VM's own readiness rather than its template's", () => {
    for (const [probe, wire] of [
      [{ kind: "none" }, undefined],
      [
        { kind: "exec", command: "true" },
        { $case: "exec", exec: "true" },
      ],
      [
        { kind: "tcp-port", port: 22 },
        { $case: "tcpPort", tcpPort: 22 },
      ],
    ] as const) {
      const { message } = asMessage(write("start", { readiness: { ...readiness, probe } }));
      assert.deepEqual(message.action, { $case: "start", start: { readiness: written(wire) } });
    }
  });

  it("cannot be made of a catalog that is gone, nor of a VM that is", () => {
    const sources: readonly VmImage["source"][] = [
      { kind: "catalog", catalog: asCatalogId("central"), catalogId: "ubuntu", version: "1" },
      { kind: "clone", vm: asVmId("original"), uid, host: asHostId("mac-1") },
    ];
    for (const source of sources) {
      const impossible = write("create", { source });
      assert.ok(impossible.kind === "impossible");
      assert.equal(impossible.failure.reason, "SourceGone");
      assert.equal(impossible.failure.isRetryable, false);
    }
  });
});

function written(probe: unknown): object {
  return { probe, periodMs: 1000, timeoutMs: 300_000 };
}

function asMessage(command: ReturnType<typeof write>): Extract<ReturnType<typeof write>, { kind: "message" }> {
  assert.ok(command.kind === "message");
  return command;
}

interface Wish {
  readonly readiness?: Readiness;
  readonly source?: VmImage["source"];
}

function write(kind: CommandKind, wish: Wish = {}): ReturnType<typeof writeCommand> {
  // Only what a message is made of is there.
  const view = { catalogs: new Map(), vms: new Map() } as unknown as PoolView;
  const vm = {
    uid,
    attempt: 4,
    spec: { template: asTemplateId("golden"), ...(wish.readiness === undefined ? {} : { readiness: wish.readiness }) },
    image: {
      source: wish.source ?? { kind: "host-vm", vmName: "golden" },
      guestOs: "linux",
      architecture: "arm64",
      readiness,
    },
    resources: { cpuCount: 2, memoryMib: 2048, diskMib: 20_000 },
    sight: { id: "seen-id", name: "", state: "stopped", ipAddresses: [] },
  } as unknown as VmRecord;
  const command = { id: asCommandId(`${uid}-2`), kind, state: "SENT", force: true, generation: 3 } as const;
  return writeCommand(view, { vm, command, nowMs: 100_000, openCredentials: () => undefined });
}
