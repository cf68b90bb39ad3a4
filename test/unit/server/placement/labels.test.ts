import assert from "node:assert/strict";
import { type LabelExpression } from "../../../../server/pool/labels.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

describe("label expressions", () => {
  it("know no label that nobody has set, whatever its name", async () => {
    await pool.addHost("mac-1");
    for (const key of ["constructor", "toString", "__proto__"]) {
      const { refusalCounts } = pool.plan({ placement: { required: [{ key, operator: "exists", values: [] }] } });
      assert.equal(refusalCounts[0]?.filter, "labels", key);
    }
  });

  const cases: readonly (readonly [LabelExpression, boolean, string])[] = [
    [{ key: "team", operator: "in", values: ["ios", "core"] }, true, "team in (ios, core)"],
    [{ key: "team", operator: "in", values: ["core"] }, false, "team = core"],
    [{ key: "team", operator: "not-in", values: ["ios"] }, false, "team != ios"],
    [{ key: "other", operator: "not-in", values: ["a", "b"] }, true, "other not in (a, b)"],
    [{ key: "team", operator: "exists", values: [] }, true, "has team"],
    [{ key: "other", operator: "exists", values: [] }, false, "has other"],
    [{ key: "other", operator: "does-not-exist", values: [] }, true, "has no other"],
    [{ key: "team", operator: "does-not-exist", values: [] }, false, "has no team"],
    [{ key: "disks", operator: "gt", values: ["3"] }, true, "disks > 3"],
    [{ key: "disks", operator: "gt", values: ["4"] }, false, "disks > 4"],
    [{ key: "disks", operator: "lt", values: ["10"] }, true, "disks < 10"],
    [{ key: "team", operator: "lt", values: ["10"] }, false, "team < 10"],
    [{ key: "other", operator: "gt", values: ["-1"] }, false, "other > -1"],
  ];
  for (const [expression, isMet, text] of cases) {
    it(`"${text}" is ${isMet ? "met" : "not met"} by team=ios, disks=4`, async () => {
      await pool.addHost("mac-1", { agentLabels: { team: "android", disks: "4" } });
      await pool.changeHost("mac-1", { labels: { team: "ios" } });
      const { host, verdicts } = pool.plan({ placement: { required: [expression] } });
      assert.equal(host, isMet ? "mac-1" : undefined);
      if (!isMet)
        assert.deepEqual(
          verdicts.map((verdict) => !verdict.fits && verdict.message),
          [`does not meet ${text}`],
        );
    });
  }
});
