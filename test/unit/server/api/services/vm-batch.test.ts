import assert from "node:assert/strict";
import { VmStatus_State } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { BatchCreateVmsRequest_Fit as Fit, VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

describe("VmService.BatchCreateVms", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
    await api.driver.addHost("mac-1");
  });
  afterEach(() => api.close());

  const vms = (): ReturnType<typeof api.client<typeof VmService>> => api.client(VmService);
  const asking = (cpuCount: number, vmId = "", project = "") => ({
    vmId,
    vm: { spec: { template: "templates/linux", project, resources: { cpuCount } } },
  });

  for (const front of fronts) {
    it(`makes as many as fit, in order, and says why not more, by ${front}`, async () => {
      const requests = [asking(8, "a"), asking(8, "b"), asking(4)];
      const answer = await api.client(VmService, front).batchCreateVms({ requests, fit: Fit.ANY });
      assert.equal(answer.vms[0]?.name, "vms/a");
      assert.match(answer.vms[1]?.name ?? "", /^vms\/vm-[a-z2-7]{10}$/);
      assert.deepEqual(
        answer.vms.map(({ status }) => [status?.state, status?.host]),
        [
          [VmStatus_State.PLACED, "hosts/mac-1"],
          [VmStatus_State.PLACED, "hosts/mac-1"],
        ],
      );
      assert.deepEqual([answer.refusedCount, answer.refusal], [1, "1 host has too few CPUs free"]);
    });
  }

  it("makes all or none", async () => {
    const requests = [asking(8), asking(8)];
    const refusal = await refused(vms().batchCreateVms({ requests, fit: Fit.ALL }), "NO_ROOM");
    assert.deepEqual(refusal.metadata, { count: "2", fit: "1" });
    assert.equal((await vms().listVms({})).vms.length, 0);
    const { vms: made } = await vms().batchCreateVms({ requests: [asking(4), asking(8)], fit: Fit.ALL });
    assert.equal(made.length, 2);
  });

  it("lets them wait unless told otherwise", async () => {
    const { vms: made, refusedCount } = await vms().batchCreateVms({ requests: [asking(12), asking(12)] });
    assert.deepEqual([made.length, refusedCount], [2, 0]);
    await api.driver.settle();
    assert.equal(api.driver.view().waiting.size, 1);
  });

  it("answers a repeated request with what it made, and other content not at all", async () => {
    const request = { requests: [asking(8), asking(8)], fit: Fit.ANY, requestId: "r" };
    const first = await vms().batchCreateVms(request);
    const again = await vms().batchCreateVms(request);
    assert.deepEqual(
      again.vms.map(({ uid }) => uid),
      first.vms.map(({ uid }) => uid),
    );
    assert.equal(again.refusedCount, 1);
    await refused(vms().batchCreateVms({ ...request, fit: Fit.WAIT }), "REQUEST_ID_REUSED");
  });

  it("says what is wrong, and with which VM", async () => {
    const one = asking(1);
    const wrong: readonly [Parameters<ReturnType<typeof vms>["batchCreateVms"]>[0], string][] = [
      [{ requests: [] }, "requests"],
      [{ requests: Array.from({ length: 1001 }, () => one) }, "requests"],
      [{ requests: [one], fit: 99 as Fit }, "fit"],
      [{ requests: [one, { ...one, requestId: "r" }] }, "requests[1].request_id"],
      [{ requests: [one, {}] }, "requests[1].vm.spec"],
      [{ requests: [one, asking(1000)] }, "requests[1].vm.spec.resources.cpu_count"],
      [{ requests: [one, asking(1, "", "acme")] }, "requests[1].vm.spec.project"],
      [{ requests: [asking(1, "a"), asking(1, "a")] }, "requests"],
    ];
    for (const [request, field] of wrong) {
      const refusal = await refused(vms().batchCreateVms(request), "FIELD_INVALID");
      assert.deepEqual(refusal.fields, [field]);
    }
    assert.equal((await vms().listVms({})).vms.length, 0);
  });
});
