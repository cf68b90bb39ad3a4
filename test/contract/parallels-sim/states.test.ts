import assert from "node:assert/strict";
import { closeServices, type Service, startService } from "./service.ts";

for (const serviceVersion of ["1.0.4", "1.0.5"] as const) {
  describe(`the local API's states in version ${serviceVersion}`, () => {
    afterEach(closeServices);

    const change = (service: Service, verb: string) => service.call(service.stateVerb, `/api/v1/machines/one/${verb}`);

    it("a wrong verb is a 404 of a route that does not exist", async () => {
      const service = await startService({ serviceVersion, vms: [{ name: "one" }] });
      const wrong = serviceVersion === "1.0.4" ? "PUT" : "GET";
      for (const verb of ["start", "stop", "restart", "pause", "suspend", "resume", "reset"]) {
        const reply = await service.call(wrong, `/api/v1/machines/one/${verb}`);
        assert.equal(reply.status, 404);
        assert.equal(reply.json.message, `resource /api/v1/machines/one/${verb} not found`);
      }
      assert.equal(service.running.mac.person.vm("one").state, "stopped");
    });

    it("each change answers once it is done, with the operation's name", async () => {
      const service = await startService({ serviceVersion, vms: [{ name: "one" }] });
      for (const [verb, operation, state] of [
        ["start", "Start", "running"],
        ["pause", "Pause", "paused"],
        ["resume", "Resume", "running"],
        ["suspend", "Suspend", "suspended"],
        ["resume", "Resume", "running"],
        ["restart", "Restart", "running"],
        ["reset", "Reset", "running"],
        ["stop", "Stop", "stopped"],
      ] as const) {
        const { status, json } = await change(service, verb);
        assert.equal(status, 200);
        const { id } = (await service.call("GET", "/api/v1/machines/one/status")).json;
        assert.deepEqual(json, { id, operation, status: "Success" });
        assert.equal((await service.call("GET", "/api/v1/machines/one/status")).json.status, state);
      }
    });

    it("what the state forbids is a 400 that names it", async () => {
      const service = await startService({ serviceVersion, vms: [{ name: "one" }] });
      for (const verb of ["pause", "suspend"]) {
        const { status, json } = await change(service, verb);
        assert.deepEqual([status, json], [400, { message: "error: VM is not running", code: 400 }]);
      }
      assert.equal((await change(service, "resume")).status, 400);
      for (const verb of ["stop", "restart", "reset"]) assert.equal((await change(service, verb)).status, 200);
      await change(service, "start");
      assert.equal((await change(service, "start")).status, 200);
    });

    it("a forced stop drops a saved state", async () => {
      const service = await startService({ serviceVersion, vms: [{ name: "one", state: "suspended" }] });
      assert.equal((await change(service, "stop")).status, 400);
      assert.equal((await change(service, "stop?force=true")).status, 200);
      assert.equal(service.running.mac.person.vm("one").state, "stopped");
    });

    it("a failure of prlctl is a 404 with its words", async () => {
      const service = await startService({ serviceVersion, vms: [{ name: "one" }] });
      service.running.mac.faults.fail("start", { error: "Failed to start the VM: the disk is damaged.", times: 1 });
      const { status, json } = await change(service, "start");
      assert.equal(status, 404);
      assert.match(json.message, /^Failed to start the VM: the disk is damaged\./);
      assert.equal((await change(service, "start")).status, 200);
    });

    it("the third macOS guest is a 404 that names the limit", async () => {
      const service = await startService({
        serviceVersion,
        vms: [{ name: "one" }, { name: "a", state: "running" }, { name: "b", state: "running" }],
      });
      const { status, json } = await change(service, "start");
      assert.equal(status, 404);
      assert.match(json.message, /limit/);
    });
  });
}
