import assert from "node:assert/strict";
import {
  type BatchCreateVmsRequest,
  BatchCreateVmsRequest_Fit as Fit,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { sampleVm } from "../../support/cli/samples.ts";
import { refusal } from "../../support/cli/scripted-server.ts";

const line = ["vm", "create", "--template", "t", "--count", "3"];

describe("meridian vm create --fit", () => {
  it("asks for all in one call, and prints their names", async () => {
    const requests: BatchCreateVmsRequest[] = [];
    const vms = {
      batchCreateVms: (request: BatchCreateVmsRequest) => {
        requests.push(request);
        return { vms: [sampleVm("b-1"), sampleVm("b-2"), sampleVm("b-3")] };
      },
    };
    const { out, exitCode } = await runAgainst({ vms }, [...line, "--id", "b", "--fit", "all", "--request-id", "r"]);
    assert.deepEqual([out, exitCode], ["vms/b-1\nvms/b-2\nvms/b-3\n", 0]);
    const [request] = requests;
    assert.deepEqual([request?.fit, request?.requestId], [Fit.ALL, "r"]);
    assert.deepEqual(
      request?.requests.map(({ vmId, vm, requestId }) => [vmId, vm?.spec?.template, requestId]),
      [
        ["b-1", "templates/t", ""],
        ["b-2", "templates/t", ""],
        ["b-3", "templates/t", ""],
      ],
    );
  });

  it("says how many did not fit, and fails only if none did", async () => {
    const some = { batchCreateVms: () => ({ vms: [sampleVm("a")], refusedCount: 2, refusal: "1 host is full" }) };
    const told = await runAgainst({ vms: some }, [...line, "--fit", "any"]);
    assert.deepEqual([told.out, told.exitCode], ["vms/a\n", 0]);
    assert.match(told.err, /2 of 3 do not fit now: 1 host is full/);
    const none = { batchCreateVms: () => ({ refusedCount: 3, refusal: "1 host is full" }) };
    const failed = await runAgainst({ vms: none }, [...line, "--fit", "any"]);
    assert.equal(failed.exitCode, 1);
    assert.match(failed.err, /3 of 3 do not fit now: 1 host is full/);
  });

  it("tells of the server's refusal", async () => {
    const vms = {
      batchCreateVms: () => {
        throw refusal("NO_ROOM", "1 of 3 VMs fit now, and all were asked for");
      },
    };
    const { exitCode, err } = await runAgainst({ vms }, [...line, "--fit", "all"]);
    assert.equal(exitCode, 1);
    assert.match(err, /1 of 3 VMs fit now/);
  });
});
