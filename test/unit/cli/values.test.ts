import assert from "node:assert/strict";
import { formatAddress, isLoopback, parseAddress } from "../../../cli/values/address.ts";
import { formatDuration, parseDurationMs } from "../../../cli/values/duration.ts";
import { parseLabelChanges } from "../../../cli/values/label.ts";
import { parseLabelExpression } from "../../../cli/values/label-expression.ts";
import { parseReadiness } from "../../../cli/values/readiness.ts";
import { formatSize, parseSizeMib } from "../../../cli/values/size.ts";
import { LabelExpression_Operator as Operator } from "../../../shared/gen/es/meridian/v1/types_pb.ts";

describe("values of flags", () => {
  it("durations are read with their units, and a bare number counts seconds", () => {
    const pairs = Object.entries({
      "90s": 90_000,
      "5m": 300_000,
      "1h30m": 5_400_000,
      "250ms": 250,
      "1.5s": 1500,
      "30": 30_000,
      "2d": 172_800_000,
    });
    for (const [text, ms] of pairs) assert.equal(parseDurationMs(text), ms, text);
    for (const text of ["", "5x", "m", "-5s", "5 m", "1h30"])
      assert.throws(() => parseDurationMs(text), /duration/, text);
  });

  it("durations are shown with the two units that matter", () => {
    const pairs = Object.entries({
      0: "0s",
      250: "250ms",
      45_000: "45s",
      90_000: "1m30s",
      300_000: "5m",
      3_599_000: "1h",
      5_400_000: "1h30m",
      90_000_000: "1d1h",
    });
    for (const [ms, text] of pairs) assert.equal(formatDuration(Number(ms)), text);
  });

  it("sizes are MiB, or what their unit says, in whole MiB", () => {
    const pairs = Object.entries({
      8192: 8192,
      "8GiB": 8192,
      "8g": 8192,
      "1.5G": 1536,
      "1TiB": 1_048_576,
      "512mb": 512,
    });
    for (const [text, mib] of pairs) assert.equal(parseSizeMib(text), mib, text);
    for (const text of ["", "0", "-1", "8k", "1.1", "9999999T"]) assert.throws(() => parseSizeMib(text), /size/, text);
    assert.deepEqual([512, 1024, 8192, 1536, 1_572_864].map(formatSize), [
      "512 MiB",
      "1 GiB",
      "8 GiB",
      "1.5 GiB",
      "1.5 TiB",
    ]);
  });

  it("label expressions have one shape for each operator", () => {
    const shapes: readonly (readonly [string, string, number, readonly string[]])[] = [
      ["disk=ssd", "disk", Operator.IN, ["ssd"]],
      ["disk=ssd,nvme", "disk", Operator.IN, ["ssd", "nvme"]],
      ["zone!=b", "zone", Operator.NOT_IN, ["b"]],
      ["gpu", "gpu", Operator.EXISTS, []],
      ["!old", "old", Operator.DOES_NOT_EXIST, []],
      ["cores>8", "cores", Operator.GT, ["8"]],
      ["cores < 8", "cores", Operator.LT, ["8"]],
    ];
    for (const [text, key, operator, values] of shapes) {
      const expression = parseLabelExpression(text);
      assert.deepEqual([expression.key, expression.operator, expression.values], [key, operator, values], text);
    }
    for (const text of ["", "=a", "a b", "cores>many", "!"]) assert.throws(() => parseLabelExpression(text), text);
  });

  it("label changes set with = and remove with -", () => {
    assert.deepEqual(parseLabelChanges(["a=1", "b-", "c=x=y", "d="]), {
      set: { a: "1", c: "x=y", d: "" },
      removed: ["b"],
    });
    for (const text of ["a", "-", "=1"]) assert.throws(() => parseLabelChanges([text]), text);
  });

  it("readiness is one probe", () => {
    assert.deepEqual(parseReadiness("tools").probe, { case: "guestTools", value: true });
    assert.equal(parseReadiness("none").probe.case, undefined);
    assert.deepEqual(parseReadiness("exec:test -f /ok").probe, { case: "exec", value: "test -f /ok" });
    for (const text of ["tcp:0", "tcp:65536", "tcp:", "exec:", "ssh"]) assert.throws(() => parseReadiness(text), text);
  });

  it("addresses are host and port, and only this machine is loopback", () => {
    for (const text of ["127.0.0.1:7070", "localhost:1", "[::1]:7070"]) {
      const address = parseAddress(text);
      assert.equal(formatAddress(address), text);
      assert.ok(isLoopback(address.host), text);
    }
    for (const host of ["128.0.0.1", "0.0.0.0", "::", "127.example.com", "localhost.example.com", "1127.0.0.1"]) {
      assert.ok(!isLoopback(host), host);
    }
    for (const text of ["", "host", "host:", ":7070", "host:99999", "http://host:1", "::1:7070"]) {
      assert.throws(() => parseAddress(text), text);
    }
  });
});
