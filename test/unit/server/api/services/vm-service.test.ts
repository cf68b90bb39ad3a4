import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { GuestOs } from "../../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmPlacement_Strategy, VmSpec_Wanted, VmStatus_State } from "../../../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService, WaitEstimate_Certainty } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { goldenVm, hostVm, wholeInventory } from "../../../../support/pool/hosts.ts";
import { hold } from "../../../../support/pool/scripted-host.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

describe("VmService", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const template = "templates/linux";
  const vms = (): ReturnType<typeof api.client<typeof VmService>> => api.client(VmService);

  for (const front of fronts) {
    it(`makes a VM and brings it to RUNNING, by ${front}`, async () => {
      await api.driver.addHost("mac-1");
      const client = api.client(VmService, front);
      const { vm: created } = await client.createVm({ vmId: "a", vm: { spec: { template, labels: { team: "ios" } } } });
      assert.equal(created?.name, "vms/a");
      assert.equal(created.status?.state, VmStatus_State.PENDING);
      const { vm } = await client.waitVm({ name: "vms/a" });
      assert.equal(vm?.status?.state, VmStatus_State.RUNNING);
      assert.equal(vm.status.host, "hosts/mac-1");
      assert.deepEqual(vm.status.ipAddresses, ["10.0.0.2"]);
      assert.equal(vm.status.guestOs, GuestOs.LINUX);
      assert.deepEqual(
        vm.status.conditions.map(({ type, reason }) => [type, reason]),
        [
          ["Placed", "HostChosen"],
          ["Ready", "Running"],
        ],
      );
      assert.deepEqual(vm.spec?.labels, { team: "ios" });
    });

    it(`tells of an error with its reason, by ${front}`, async () => {
      const refusal = await refused(api.client(VmService, front).getVm({ name: "vms/absent" }), "RESOURCE_NOT_FOUND");
      assert.equal(refusal.code, Code.NotFound);
      assert.equal(refusal.metadata["resource"], "vms/absent");
    });
  }

  it("fills in the defaults", async () => {
    const { vm } = await vms().createVm({ vm: { spec: { template } } });
    assert.match(vm?.name ?? "", /^vms\/vm-[a-z2-7]{10}$/);
    assert.equal(vm?.spec?.project, "default");
    assert.equal(vm.spec.priority, 50);
    assert.equal(vm.spec.wanted, VmSpec_Wanted.RUNNING);
    assert.equal(
      vm.spec.placement?.strategy,
      VmPlacement_Strategy.UNSPECIFIED,
      "as the settings say when it is placed",
    );
    assert.equal(vm.generation, 1n);
  });

  it("says of a waiting VM what it waits for", async () => {
    await vms().createVm({ vmId: "a", vm: { spec: { template } } });
    const { vm } = await vms().getVm({ name: "vms/a" });
    assert.match(vm?.status?.message ?? "", /no host has joined/);
    const { explanation } = await vms().explainVm({ name: "vms/a" });
    assert.equal(explanation?.queuePosition, 1);
    assert.equal(explanation.host, "");
  });

  it("answers a repeated create with the VM that it made, and refuses the same id for another", async () => {
    const request = { requestId: "r1", vm: { spec: { template, labels: { a: "1", b: "2" } } } };
    const first = await vms().createVm(request);
    const again = await vms().createVm({ requestId: "r1", vm: { spec: { template, labels: { b: "2", a: "1" } } } });
    assert.equal(again.vm?.uid, first.vm?.uid);
    await refused(vms().createVm({ ...request, vm: { spec: { template } } }), "REQUEST_ID_REUSED");
  });

  it("is not confused by what is ignored in a create, nor by spans that cannot be", async () => {
    const ignored = { createTime: { seconds: 9_000_000_000_000_000_000n }, generation: 7n };
    const first = await vms().createVm({ requestId: "r1", vm: { ...ignored, spec: { template } } });
    assert.equal(first.vm?.generation, 1n);
    const again = await vms().createVm({ requestId: "r1", vm: { spec: { template, priority: 50 } } });
    assert.equal(again.vm?.uid, first.vm?.uid);
    const pendingTimeout = { seconds: 9_000_000_000_000_000_000n };
    await refused(vms().createVm({ requestId: "r2", vm: { spec: { template, pendingTimeout } } }), "FIELD_INVALID");
  });

  it("refuses a name that is taken, and what does not exist", async () => {
    await vms().createVm({ vmId: "a", vm: { spec: { template } } });
    await refused(vms().createVm({ vmId: "a", vm: { spec: { template } } }), "RESOURCE_EXISTS");
    await refused(vms().createVm({ vm: { spec: { template: "templates/absent" } } }), "RESOURCE_NOT_FOUND");
    await refused(
      vms().createVm({ vm: { spec: { template, placement: { host: "hosts/absent" } } } }),
      "RESOURCE_NOT_FOUND",
    );
    await refused(vms().planVm({ spec: { template, placement: { host: "hosts/absent" } } }), "RESOURCE_NOT_FOUND");
    for (const call of [
      vms().explainVm({ name: "vms/b" }),
      vms().deleteVm({ name: "vms/b" }),
      vms().waitVm({ name: "vms/b" }),
    ]) {
      await refused(call, "RESOURCE_NOT_FOUND");
    }
    await refused(vms().cloneVm({ name: "vms/b" }), "RESOURCE_NOT_FOUND");
    await refused(vms().updateVm({ vm: { name: "vms/b", spec: { priority: 1 } } }), "RESOURCE_NOT_FOUND");
  });

  it("plans a VM that does not exist, and makes none", async () => {
    await api.driver.addHost("mac-1");
    const { explanation } = await vms().planVm({ spec: { template } });
    assert.equal(explanation?.host, "hosts/mac-1");
    assert.equal(explanation.verdicts[0]?.fits, true);
    assert.deepEqual((await vms().listVms({})).vms, []);
  });

  it("plans many at once, and says how long the last of them would probably wait", async () => {
    await api.driver.addHost("mac-1");
    const lease = { seconds: 1800n, nanos: 0 };
    const spec = { template, resources: { cpuCount: 12 }, leaseDuration: lease };
    await vms().createVm({ vmId: "a", vm: { spec } });
    const { explanation } = await vms().planVm({ spec: { template, resources: { cpuCount: 4 } }, count: 2 });
    assert.equal(explanation?.fitNow, 0);
    assert.equal(explanation.estimate?.wait?.seconds, 1800n);
    assert.equal(explanation.estimate.certainty, WaitEstimate_Certainty.LOW);
    await refused(vms().planVm({ spec: { template }, count: 10_001 }), "FIELD_INVALID");
  });

  it("stops, starts, suspends, resumes, pauses, restarts, resets and deletes", async () => {
    const host = await api.driver.addHost("mac-1");
    await vms().createVm({ vmId: "a", vm: { spec: { template } } });
    const name = "vms/a";
    const reaches = async (state: VmStatus_State): Promise<void> => {
      await vms().waitVm({ name, states: [state] });
    };
    await reaches(VmStatus_State.RUNNING);
    await vms().suspendVm({ name });
    await reaches(VmStatus_State.SUSPENDED);
    await vms().resumeVm({ name });
    await reaches(VmStatus_State.RUNNING);
    await vms().pauseVm({ name });
    await reaches(VmStatus_State.PAUSED);
    await vms().resumeVm({ name });
    await reaches(VmStatus_State.RUNNING);
    await vms().stopVm({ name, force: true });
    await reaches(VmStatus_State.STOPPED);
    await refused(vms().restartVm({ name }), "STATE_NOT_ALLOWED");
    await vms().startVm({ name });
    await reaches(VmStatus_State.RUNNING);
    await vms().restartVm({ name });
    await api.driver.settle();
    await vms().resetVm({ name });
    await api.driver.settle();
    await vms().deleteVm({ name });
    await reaches(VmStatus_State.DELETED);
    const kinds = [
      "create",
      "start",
      "suspend",
      "resume",
      "pause",
      "resume",
      "stop",
      "start",
      "restart",
      "reset",
      "delete",
    ];
    assert.deepEqual(host.receivedKinds, kinds);
    assert.equal(host.received.find(({ kind }) => kind === "stop")?.force, true);
    assert.equal(host.received.find(({ kind }) => kind === "delete")?.force, true);
  });

  it("renews a lease, and says until when the VM lives", async () => {
    await api.driver.addHost("mac-1");
    const lease = { seconds: 60n };
    await vms().createVm({
      vmId: "a",
      vm: { spec: { template, leaseDuration: lease, maxLifetime: { seconds: 600n } } },
    });
    const { vm: before } = await vms().waitVm({ name: "vms/a" });
    assert.equal(before?.spec?.leaseDuration?.seconds, 60n);
    assert.equal(before.spec.maxLifetime?.seconds, 600n);
    const { vm: after } = await vms().renewVm({ name: "vms/a", leaseDuration: { seconds: 300n } });
    const secondsLeft = (time: { seconds: bigint } | undefined) =>
      Number(time?.seconds) - Number(before.createTime?.seconds);
    assert.ok(Math.abs(secondsLeft(before.status?.expireTime) - 60) <= 1);
    assert.ok(Math.abs(secondsLeft(after?.status?.expireTime) - 300) <= 1);
    await refused(vms().renewVm({ name: "vms/a", leaseDuration: { seconds: 9n } }), "FIELD_INVALID");
    await vms().createVm({ vmId: "b", vm: { spec: { template } } });
    await refused(vms().renewVm({ name: "vms/b" }), "STATE_NOT_ALLOWED");
  });

  it("adopts a VM that stands on a host, and refuses what cannot be said of one", async () => {
    await api.driver.addHost("mac-1", {
      inventory: wholeInventory([goldenVm(), hostVm("by hand", { state: "running" })]),
    });
    const request = { host: "hosts/mac-1", hostVm: "by hand", vmId: "a", requestId: "1" };
    const { vm } = await vms().adoptVm({ ...request, spec: { labels: { team: "ios" } } });
    assert.equal(vm?.status?.state, VmStatus_State.RUNNING);
    assert.equal(vm.status.hostVmName, "by hand");
    assert.deepEqual([vm.spec?.template, vm.spec?.wanted], ["", VmSpec_Wanted.RUNNING]);
    assert.deepEqual((await vms().adoptVm({ ...request, spec: { labels: { team: "ios" } } })).vm?.uid, vm.uid);
    await refused(vms().adoptVm({ ...request, requestId: "", vmId: "b" }), "STATE_NOT_ALLOWED");
    for (const spec of [{ template }, { resources: { cpuCount: 1 } }, { placement: {} }, { sourceVm: "vms/b" }]) {
      await refused(vms().adoptVm({ ...request, requestId: "", spec }), "FIELD_INVALID");
    }
    const { vm: updated } = await vms().updateVm({ vm: { name: "vms/a", spec: { priority: 7 } } });
    assert.equal(updated?.spec?.priority, 7);
  });

  it("refuses a stale etag", async () => {
    const { vm } = await vms().createVm({ vmId: "a", vm: { spec: { template } } });
    const etag = vm?.etag ?? "";
    await vms().updateVm({ vm: { name: "vms/a", etag, spec: { priority: 1 } } });
    await refused(vms().updateVm({ vm: { name: "vms/a", etag, spec: { priority: 2 } } }), "ETAG_MISMATCH");
    await refused(vms().deleteVm({ name: "vms/a", etag }), "ETAG_MISMATCH");
    await refused(vms().stopVm({ name: "vms/a", etag }), "ETAG_MISMATCH");
    await refused(vms().deleteVm({ name: "vms/a", etag: "x".repeat(65) }), "FIELD_INVALID");
  });

  describe("UpdateVm", () => {
    const name = "vms/a";
    beforeEach(async () => {
      await vms().createVm({
        vmId: "a",
        vm: { spec: { template, labels: { a: "1" }, annotations: { b: "2" }, priority: 10 } },
      });
    });

    it("without a mask changes every field that is present, and no other", async () => {
      const { vm } = await vms().updateVm({ vm: { name, spec: { labels: { c: "3" } } } });
      assert.deepEqual(vm?.spec?.labels, { c: "3" });
      assert.deepEqual(vm.spec.annotations, { b: "2" });
      assert.equal(vm.spec.priority, 10);
      assert.equal(vm.generation, 2n);
    });

    it("with a mask changes the named fields, those that are absent to their defaults", async () => {
      const updateMask = { paths: ["spec.labels", "spec.resources.cpu_count", "spec.priority"] };
      const { vm } = await vms().updateVm({
        vm: { name, spec: { resources: { cpuCount: 3, memoryMib: 1024 } } },
        updateMask,
      });
      assert.deepEqual(vm?.spec?.labels, {});
      assert.equal(vm.spec.resources?.cpuCount, 3);
      assert.equal(vm.spec.resources.memoryMib, 0);
      assert.equal(vm.spec.priority, 50);
      assert.equal(vm.status?.resources?.cpuCount, 3);
    });

    it('with "*" changes all of the spec', async () => {
      const { vm } = await vms().updateVm({ vm: { name, spec: { template } }, updateMask: { paths: ["*"] } });
      assert.deepEqual([vm?.spec?.labels, vm?.spec?.annotations, vm?.spec?.priority], [{}, {}, 50]);
    });

    for (const path of [
      "status.state",
      "name",
      "spec.nothing",
      "spec.labels.a",
      "spec.priority.x",
      "spec..",
      "",
      "uid",
    ]) {
      it(`refuses the mask "${path}"`, async () => {
        const call = vms().updateVm({ vm: { name, spec: { priority: 1 } }, updateMask: { paths: [path] } });
        assert.deepEqual((await refused(call, "EXPRESSION_INVALID")).fields, ["update_mask"]);
      });
    }

    it("refuses other templates, projects and sources, and DELETED", async () => {
      for (const [field, spec] of Object.entries({
        template: { template: "templates/other" },
        project: { project: "other" },
        source_vm: { sourceVm: "vms/b" },
        wanted: { wanted: VmSpec_Wanted.DELETED },
      })) {
        const refusal = await refused(vms().updateVm({ vm: { name, spec } }), "FIELD_INVALID");
        assert.deepEqual(refusal.fields, [`vm.spec.${field}`]);
      }
      await refused(vms().updateVm({ vm: { name } }), "FIELD_INVALID");
    });

    it("tells of a VM that is being deleted that it is", async () => {
      await vms().deleteVm({ name });
      await refused(vms().updateVm({ vm: { name, spec: { priority: 1 } } }), "STATE_NOT_ALLOWED");
      await refused(vms().startVm({ name }), "STATE_NOT_ALLOWED");
      await vms().deleteVm({ name });
    });

    it("refuses other resources and placement once the VM has a host", async () => {
      await api.driver.addHost("mac-1");
      await vms().waitVm({ name });
      for (const spec of [{ resources: { cpuCount: 3 } }, { placement: { strategy: VmPlacement_Strategy.SPREAD } }]) {
        const refusal = await refused(vms().updateVm({ vm: { name, spec } }), "STATE_NOT_ALLOWED");
        assert.equal(refusal.metadata["state"], "RUNNING");
      }
      const { vm } = await vms().updateVm({ vm: { name, spec: { wanted: VmSpec_Wanted.STOPPED } } });
      assert.equal(vm?.spec?.wanted, VmSpec_Wanted.STOPPED);
      await vms().waitVm({ name, states: [VmStatus_State.STOPPED] });
    });
  });

  describe("CloneVm", () => {
    it("copies a stopped VM on its host, with the original's resources", async () => {
      await api.driver.addHost("mac-1");
      await vms().createVm({ vmId: "a", vm: { spec: { template, resources: { cpuCount: 3 } } } });
      await vms().waitVm({ name: "vms/a" });
      await refused(vms().cloneVm({ name: "vms/a", vmId: "b" }), "STATE_NOT_ALLOWED");
      await vms().stopVm({ name: "vms/a" });
      await vms().waitVm({ name: "vms/a", states: [VmStatus_State.STOPPED] });
      const { vm } = await vms().cloneVm({ name: "vms/a", vmId: "b", requestId: "r" });
      assert.equal(vm?.spec?.sourceVm, "vms/a");
      assert.equal(vm.spec.template, template);
      assert.equal(vm.spec.placement?.host, "hosts/mac-1");
      assert.equal(vm.spec.resources?.cpuCount, 3);
      const again = await vms().cloneVm({ name: "vms/a", vmId: "b", requestId: "r" });
      assert.equal(again.vm?.uid, vm.uid);
    });

    it("refuses what comes from the original", async () => {
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const spec = { template, sourceVm: "vms/c", placement: { host: "hosts/h" } };
      const refusal = await refused(vms().cloneVm({ name: "vms/a", spec }), "FIELD_INVALID");
      assert.deepEqual(refusal.fields, ["spec.template", "spec.source_vm", "spec.placement.host"]);
    });
  });

  describe("ExecVm", () => {
    async function* once<T>(message: T): AsyncGenerator<T> {
      yield message;
    }

    it("runs a command and gives back its output and exit code", async () => {
      await api.driver.addHost("mac-1");
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      await vms().waitVm({ name: "vms/a" });
      const stdout = new Uint8Array(600_000).fill(65);
      api.hostCalls.answer = async () => ({ exec: { stdout, stderr: Buffer.from("oh"), exitCode: 7 } });
      const start = { name: "vms/a", command: ["sh", "-c", "date"], env: { A: "1" }, timeout: { seconds: 5n } };
      let bytes = 0;
      const rest: unknown[] = [];
      for await (const { payload } of vms().execVm(once({ payload: { case: "start", value: start } }))) {
        if (payload.case === "stdout") bytes += payload.value.length;
        else rest.push(payload.case === "exit" ? payload.value.exitCode : String(Buffer.from(payload.value ?? [])));
      }
      assert.equal(bytes, 600_000);
      assert.deepEqual(rest, ["oh", 7]);
      const [call] = api.hostCalls.received;
      assert.equal(call?.host, "mac-1");
      assert.deepEqual(call.call, {
        kind: "exec",
        hostVmId: api.driver.vm("a").sight?.id,
        command: ["sh", "-c", "date"],
        env: { A: "1" },
      });
      assert.equal(call.timeoutMs, 5000);
    });

    it("refuses what is not running, not there, or no command", async () => {
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const exec = async (value: {
        name: string;
        command: string[];
        env?: Record<string, string>;
      }): Promise<unknown> => {
        for await (const _ of vms().execVm(once({ payload: { case: "start" as const, value } })));
        return undefined;
      };
      await refused(exec({ name: "vms/a", command: ["ls"] }), "STATE_NOT_ALLOWED");
      await refused(exec({ name: "vms/b", command: ["ls"] }), "RESOURCE_NOT_FOUND");
      await refused(exec({ name: "vms/a", command: [] }), "FIELD_INVALID");
      await refused(exec({ name: "vms/a", command: ["ls"], env: { "1 x": "y" } }), "FIELD_INVALID");
      await refused(exec({ name: "vms/a", command: ["ls", "\0"] }), "FIELD_INVALID");
      await refused(exec({ name: "vms/a", command: ["ls", "x".repeat(131_072)] }), "FIELD_INVALID");
      const nothing = async (): Promise<unknown> => {
        for await (const _ of vms().execVm(once({ payload: { case: undefined } })));
        return undefined;
      };
      await refused(nothing(), "FIELD_INVALID");
    });

    it("gives up on the host when the caller leaves", async () => {
      await api.driver.addHost("mac-1");
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      await vms().waitVm({ name: "vms/a" });
      const asked = Promise.withResolvers<AbortSignal>();
      api.hostCalls.answer = ({ signal }) => {
        asked.resolve(signal);
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
        );
      };
      const leave = new AbortController();
      const start = { name: "vms/a", command: ["sleep"] };
      const output = vms().execVm(once({ payload: { case: "start" as const, value: start } }), {
        signal: leave.signal,
      });
      const reading = output[Symbol.asyncIterator]().next();
      const signal = await asked.promise;
      leave.abort();
      await assert.rejects(reading);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      assert.deepEqual(api.faults, []);
    });
  });

  describe("WaitVm", () => {
    it("ends with WAIT_TIMED_OUT and the state that the VM is in", async () => {
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const waiting = refused(vms().waitVm({ name: "vms/a", timeout: { seconds: 60n } }), "WAIT_TIMED_OUT");
      while (api.calls.count === 0) await api.driver.settle();
      await api.driver.settle();
      api.driver.clock.advance(60_000);
      const refusal = await waiting;
      assert.equal(refusal.code, Code.DeadlineExceeded);
      assert.equal(refusal.metadata["state"], "PENDING");
      assert.match(refusal.message, /still PENDING/);
    });

    it("answers at once with a timeout of 0", async () => {
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const waiting = refused(vms().waitVm({ name: "vms/a", timeout: {} }), "WAIT_TIMED_OUT");
      while (api.calls.count === 0) await api.driver.settle();
      await api.driver.settle();
      api.driver.clock.advance(0);
      assert.equal((await waiting).metadata["state"], "PENDING");
    });

    it("ends with WAIT_HOPELESS when what is waited for can no longer come", async () => {
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const waiting = refused(vms().waitVm({ name: "vms/a" }), "WAIT_HOPELESS");
      while (api.calls.count === 0) await api.driver.settle();
      await vms().deleteVm({ name: "vms/a" });
      assert.equal((await waiting).metadata["state"], "DELETED");
      const { vm } = await vms().waitVm({ name: "vms/a", states: [VmStatus_State.DELETED] });
      assert.equal(vm?.status?.state, VmStatus_State.DELETED);
      await refused(vms().waitVm({ name: "vms/a" }), "WAIT_HOPELESS");
    });

    it("refuses states that are none", async () => {
      const states = [VmStatus_State.UNSPECIFIED, 99 as VmStatus_State];
      const refusal = await refused(
        vms().waitVm({ name: "vms/a", states, timeout: { seconds: 86_401n } }),
        "FIELD_INVALID",
      );
      assert.deepEqual(refusal.fields, ["states[0]", "states[1]", "timeout"]);
    });

    it("leaves nothing behind when the caller goes", async () => {
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const leave = new AbortController();
      const waiting = vms().waitVm({ name: "vms/a" }, { signal: leave.signal });
      waiting.catch(() => undefined);
      while (api.calls.count === 0) await api.driver.settle();
      const timers = api.driver.clock.timerCount;
      leave.abort();
      await assert.rejects(waiting);
      while (api.calls.count > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      assert(api.driver.clock.timerCount < Math.max(timers, 1));
      assert.deepEqual(api.faults, []);
    });

    it("ends with SERVER_NOT_SERVING when the server closes", async () => {
      const host = await api.driver.addHost("mac-1");
      host.always("create", hold);
      await vms().createVm({ vmId: "a", vm: { spec: { template } } });
      const waiting = refused(vms().waitVm({ name: "vms/a" }), "SERVER_NOT_SERVING");
      while (api.calls.count === 0) await api.driver.settle();
      await api.calls.close();
      assert.equal((await waiting).code, Code.Unavailable);
      await refused(vms().getVm({ name: "vms/a" }), "SERVER_NOT_SERVING");
    });
  });
});
