import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { specFrom } from "../../../cli/vm/spec-flags.ts";
import { readVmSpec } from "../../../server/api/convert/vm-spec.ts";
import { toVmSpec } from "../../../server/api/convert/vm-spec-message.ts";
import { FieldChecks } from "../../../server/api/field-checks.ts";
import { VmSpecSchema } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";

describe("the flag --preemptible", () => {
  it("reaches the record, and comes back from it", () => {
    for (const preemptible of [true, false]) {
      const checks = new FieldChecks();
      const spec = readVmSpec(checks, {
        path: "spec",
        value: create(VmSpecSchema, specFrom({ template: "linux", preemptible })),
      });
      assert.equal(spec.preemptible, preemptible ? true : undefined);
      assert.equal(toVmSpec(spec).preemptible, preemptible);
    }
  });
});
