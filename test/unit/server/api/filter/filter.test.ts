import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { array, assert as checkProperty, constantFrom, oneof, property, string } from "fast-check";
import { compileFilter } from "../../../../../server/api/filter/filter.ts";
import { matchesPieces } from "../../../../../server/api/filter/values.ts";
import { MeridianError } from "../../../../../shared/errors.ts";
import { Architecture, Condition_State } from "../../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmSchema, VmStatus_State } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";

const vm = create(VmSchema, {
  name: "vms/build-7",
  generation: 12n,
  spec: {
    template: "templates/macos-15",
    priority: 70,
    labels: { team: "ios", "ci.example.com/branch": "main", "app-name": "Lens", "with space": "x" },
    readiness: { probe: { case: "tcpPort", value: 22 } },
    pendingTimeout: { seconds: 90n, nanos: 500_000_000 },
    placement: { architecture: Architecture.ARM64 },
  },
  status: {
    state: VmStatus_State.RUNNING,
    message: 'says "hello" (twice)',
    ipAddresses: ["10.0.0.7", "fd00::7"],
    progress: { percent: 12.5 },
    conditions: [
      { type: "Ready", state: Condition_State.TRUE },
      { type: "Placed", state: Condition_State.FALSE },
    ],
  },
  createTime: { seconds: 1_767_225_600n, nanos: 250_000_000 },
});

const matching: readonly string[] = [
  "",
  "   ",
  'name = "vms/build-7"',
  "name = vms/build-7",
  "name != vms/other",
  "name:BUILD",
  "name = vms/*",
  "name = *-7",
  "name = vms/*7",
  "name > vms/a AND name < vms/c",
  "generation = 12",
  "generation >= 12 AND generation <= 12",
  "spec.priority > 69.5",
  "spec.priority != -3",
  "status.state = RUNNING",
  "status.state = STATE_RUNNING",
  "status.state = running",
  "status.state != FAILED",
  "status.state : RUNNING",
  "spec.placement.architecture = arm64",
  "spec.labels.team = ios",
  'spec.labels."ci.example.com/branch" = main',
  "spec.labels.app-name = Lens",
  "spec.labels.'with space' = x",
  "spec.labels:team",
  "spec.labels:te*",
  "spec.labels:*",
  "spec.labels.team:*",
  "spec.labels.absent != x",
  "NOT spec.labels:absent",
  "-spec.labels:absent",
  "status.ip_addresses = 10.0.0.7",
  "status.ipAddresses : fd00",
  "status.ip_addresses = 10.*",
  "status.conditions.type = Ready",
  "status.progress.percent < 13",
  "status.progress:*",
  'status.message = "says \\"hello\\" (twice)"',
  "spec.readiness.tcp_port = 22",
  "spec.pending_timeout = 90.5s",
  "spec.pending_timeout > 1.5m AND spec.pending_timeout < 1h",
  "spec.pending_timeout = 90500ms",
  "create_time = 2026-01-01T00:00:00.25Z",
  'create_time > "2025-12-31T23:59:59Z"',
  "create_time < 2026-01-01T01:00:00+00:30",
  "build-7",
  "BUILD",
  "ios",
  "lens",
  "status.state = RUNNING spec.priority = 70",
  "status.state = FAILED OR status.state = RUNNING",
  // OR binds tighter than AND.
  "status.state = RUNNING AND spec.priority = 1 OR spec.priority = 70",
  "(status.state = FAILED AND spec.priority = 70) OR name:build",
  "NOT (status.state = FAILED OR spec.priority = 1)",
  "NOT NOT status.state = RUNNING",
];

const notMatching: readonly string[] = [
  "name = vms/build",
  "name = vms/*8",
  "name = x*",
  "generation < 12",
  "spec.priority = 71",
  "status.state = PENDING",
  "status.state != RUNNING",
  "spec.labels.team != ios",
  "spec.labels.absent = x",
  "spec.labels.absent:*",
  "spec.labels.constructor:*",
  "spec.labels:absent",
  "spec.source_vm:*",
  "status.failure:*",
  "status.failure.reason = x",
  "status.ip_addresses = 10.0.0.8",
  "spec.readiness.exec:*",
  "spec.pending_timeout < 90s",
  "create_time > 2026-01-01T00:00:00.25Z",
  "android",
  "status.state = RUNNING spec.priority = 71",
  "status.state = RUNNING AND spec.priority = 1 OR spec.priority = 2",
  "-build",
];

const broken: readonly (readonly [filter: string, position: number, expected: RegExp])[] = [
  ["status.state =", 15, /expected a word or a value, found the end/],
  ["= x", 1, /expected a field/],
  ["name = 'open", 8, /expected a closing '/],
  ["(name = x", 10, /expected "\)", found the end/],
  ["name = x)", 9, /expected AND, OR or the end, found "\)"/],
  ["name = x AND", 13, /expected a field, a word or a parenthesis/],
  ["OR name = x", 1, /expected a field, a word or a parenthesis/],
  ["status.stat = x", 8, /expected a field of VmStatus, found "stat"; its fields are state/],
  ["status.state = SLEEPING", 16, /expected one of UNSPECIFIED, PENDING/],
  ["status.state > RUNNING", 16, /expected "=", "!=" or ":" for a named value/],
  ["generation = many", 14, /expected a number, found "many"/],
  ["create_time > yesterday", 15, /expected a time such as/],
  ["create_time > 2026-13-01T00:00:00Z", 15, /expected a time such as/],
  ["spec.pending_timeout > 5", 24, /expected a duration such as/],
  ["status = x", 10, /which asks whether it is there, or a field below it/],
  ["spec.labels = x", 15, /expected a key, such as labels.team/],
  ["name.first = x", 6, /there is nothing below this field/],
  ["create_time.seconds = 1", 13, /there is nothing below this field/],
  ["a.b.c.d.e.f.g.h.i = x", 17, /expected no further part of the path/],
  [`name = ${"x".repeat(2048)}`, 2049, /at most 2048 characters/],
  [`${"(".repeat(40)}x${")".repeat(40)}`, 34, /no more than 32 levels/],
  [`${"-".repeat(40)}x`, 34, /no more than 32 levels/],
];

describe("filters", () => {
  for (const source of matching) {
    it(`lets the VM through: ${source}`, () => {
      assert.equal(compileFilter(VmSchema, source)?.(vm) ?? true, true);
    });
  }

  for (const source of notMatching) {
    it(`holds the VM back: ${source}`, () => {
      assert.equal(compileFilter(VmSchema, source)?.(vm), false);
    });
  }

  for (const [source, position, expected] of broken) {
    it(`says what is wrong, and where: ${source.slice(0, 40)}`, () => {
      assert.throws(
        () => compileFilter(VmSchema, source)?.(vm),
        (error) => {
          assert(error instanceof MeridianError);
          assert.equal(error.reason, "EXPRESSION_INVALID");
          assert.match(error.message, expected);
          assert.equal(error.options.metadata?.["position"], String(position), error.message);
          return true;
        },
      );
    });
  }

  it("are either compiled or refused as EXPRESSION_INVALID, whatever they are", () => {
    const words = constantFrom(
      "name",
      ".",
      "=",
      "!=",
      "(",
      ")",
      "AND",
      "OR",
      "NOT",
      "-",
      '"',
      "'",
      "*",
      ":",
      "spec",
      "labels",
      "\\",
    );
    const source = oneof(
      string(),
      array(words).map((parts) => parts.join(" ")),
      array(words).map((parts) => parts.join("")),
    );
    checkProperty(
      property(source, (text) => {
        try {
          assert.equal(typeof (compileFilter(VmSchema, text)?.(vm) ?? true), "boolean");
        } catch (error) {
          assert(error instanceof MeridianError, String(error));
          assert.equal(error.reason, "EXPRESSION_INVALID");
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("find stars as a regular expression would", () => {
    const text = string({ unit: constantFrom("a", "b"), maxLength: 8 });
    checkProperty(
      property(text, array(text, { minLength: 2, maxLength: 4 }), (subject, pieces) => {
        assert.equal(matchesPieces(subject, pieces), new RegExp(`^${pieces.join(".*")}$`).test(subject));
      }),
      { numRuns: 2000 },
    );
  });
});
