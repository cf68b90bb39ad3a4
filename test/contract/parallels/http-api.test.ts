import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { CreateFromCatalog, ParallelsApi, ParallelsJob, ParallelsListener } from "../../../agent/parallels/api.ts";
import { createHttpParallelsApi } from "../../../agent/parallels/http-api.ts";
import { type RunningMac, startSimulatedMac } from "../../../simulator/simulated-mac.ts";
import { eventually, rejection } from "../../unit/agent/parallels/rejection.ts";

const create: CreateFromCatalog = {
  jobId: "job-1",
  name: "meridian-1",
  architecture: "arm64",
  catalogId: "MACOS-15-CI",
  version: "v3",
  url: "https://catalog.example.com",
  apiKey: "a2V5OnNlY3JldA==",
};

for (const serviceVersion of ["1.0.4", "1.0.5"] as const) {
  describe(`the client of the Parallels API and a simulated Mac of version ${serviceVersion}`, () => {
    let mac: RunningMac;
    let api: ParallelsApi;

    beforeEach(async () => {
      mac = await startSimulatedMac({
        serviceVersion,
        instant: true,
        vms: [{ name: "golden", os: "ubuntu" }],
        catalog: [{ catalogId: "MACOS-15-CI", version: "v3", architecture: "arm64" }],
      });
      api = createHttpParallelsApi({ baseUrl: mac.url, credentials: { apiKey: mac.apiKey } });
    });

    afterEach(async () => {
      await api.close();
      await mac.close();
    });

    async function goldenId(): Promise<string> {
      const [vm] = await api.listVms();
      assert.ok(vm !== undefined);
      return vm.id;
    }

    async function stateOf(vmId: string): Promise<string | undefined> {
      return (await api.listVms()).find((vm) => vm.id === vmId)?.state;
    }

    it("agree on the Mac's facts", async () => {
      const hardware = await api.readHardware();
      assert.equal(hardware.serviceVersion, serviceVersion);
      assert.equal(hardware.totalCpuCount, 12);
      assert.equal(hardware.totalMemoryMib, 32_768);
      assert.equal((await api.readLicence()).isValid, true);
      const disk = await api.readDiskSpace();
      assert.ok(disk.freeMib > 0 && disk.freeMib < disk.totalMib, JSON.stringify(disk));
      assert.deepEqual(await api.listCachedImages(), []);
    });

    it("agree on a VM's life: changes of state, configuration, a command, removal", async () => {
      const id = await goldenId();
      await api.configureVm(id, { cpuCount: 6, memoryMib: 12_288 });
      const [configured] = await api.listVms();
      assert.deepEqual([configured?.cpuCount, configured?.memoryMib], [6, 12_288]);
      await api.changeState(id, "start");
      assert.equal(await stateOf(id), "running");
      const result = await api.execute(id, { command: ["echo", "it's"], timeoutMs: 5000 });
      assert.equal(result.exitCode, 0);
      assert.equal((await api.execute(id, { command: ["false"], timeoutMs: 5000 })).exitCode, 1);
      await api.changeState(id, "suspend");
      await api.changeState(id, "resume");
      await api.changeState(id, "pause");
      assert.equal((await rejection(api.changeState(id, "stop"))).kind, "state-not-allowed");
      // Not even by force: a paused VM must be resumed before it can be stopped or removed.
      assert.equal((await rejection(api.changeState(id, "stop", { force: true }))).kind, "state-not-allowed");
      assert.equal((await rejection(api.deleteVm(id, { force: true }))).kind, "state-not-allowed");
      await api.changeState(id, "resume");
      await api.changeState(id, "stop", { force: true });
      assert.equal(await stateOf(id), "stopped");
      assert.equal((await rejection(api.changeState(id, "pause"))).kind, "state-not-allowed");
      await api.deleteVm(id, { force: false });
      assert.deepEqual(await api.listVms(), []);
    });

    it("agree that a copy has a name, an id and a MAC address of its own", async () => {
      const source = await goldenId();
      const id = await api.cloneVm(source, "meridian-1");
      assert.notEqual(id, source);
      assert.deepEqual((await api.listVms()).map((vm) => vm.name).sort(), ["golden", "meridian-1"]);
      const addresses = mac.mac.vms.map((vm) => vm.macAddress);
      assert.equal(new Set(addresses).size, 2);
      assert.equal((await rejection(api.cloneVm(source, "meridian-1"))).kind, "name-taken");
    });

    it("agree on a create: one VM of one job id, however often it is asked for, made stopped and then in the cache", async () => {
      await api.beginCreate(create);
      await api.beginCreate(create);
      let job: ParallelsJob | undefined;
      while (job?.state !== "succeeded") {
        job = await api.readJob("job-1");
        assert.ok(job !== undefined && job.state !== "failed", JSON.stringify(job));
      }
      const made = (await api.listVms()).filter((vm) => vm.name === "meridian-1");
      assert.deepEqual(
        made.map((vm) => [vm.id, vm.state]),
        [[job.vmId, "stopped"]],
      );
      assert.deepEqual(
        (await api.listCachedImages()).map((image) => image.catalogId),
        ["MACOS-15-CI"],
      );
      assert.equal(await api.readJob("no-such-job"), undefined);
    });

    it("agree on the removal of a cached image: of that version, by its id in any case, and once", async () => {
      await api.beginCreate(create);
      while ((await api.readJob("job-1"))?.state !== "succeeded");
      const [image] = await api.listCachedImages();
      assert.ok(image !== undefined);
      const { catalogId, version } = image;
      const isThere = async (): Promise<boolean> => (await api.listCachedImages()).length > 0;
      await rejection(api.removeCachedImage({ catalogId, version: "v0" }));
      await rejection(api.removeCachedImage({ catalogId: "OTHER", version }));
      assert.ok(await isThere());
      await api.removeCachedImage({ catalogId: catalogId.toLowerCase(), version });
      assert.equal(await isThere(), false);
      await rejection(api.removeCachedImage({ catalogId, version }));
    });

    it("agree on refusals: an unknown VM, a third macOS guest, an image that is not there", async () => {
      assert.equal((await rejection(api.changeState("no-such-vm", "start"))).kind, "vm-not-found");
      await api.deleteVm("no-such-vm", { force: true });
      for (const name of ["m1", "m2", "m3"]) mac.mac.person.createVm({ name, os: "macosx" });
      const guests = (await api.listVms()).filter((vm) => vm.isMacos);
      const [first, second, third] = guests.map((vm) => vm.id);
      assert.ok(first !== undefined && second !== undefined && third !== undefined);
      await api.changeState(first, "start");
      await api.changeState(second, "start");
      assert.equal((await rejection(api.changeState(third, "start"))).kind, "macos-limit");
      await api.beginCreate({ ...create, catalogId: "NO-SUCH-IMAGE" });
      let job = await api.readJob("job-1");
      while (job?.state === "running") job = await api.readJob("job-1");
      assert.equal(job?.state, "failed");
    });

    it("agree on events, and find each other again after a restart, which forgets every token", async () => {
      const heard: string[] = [];
      const listener: ParallelsListener = {
        onConnected: () => heard.push("connected"),
        onDisconnected: () => heard.push("disconnected"),
        onStateChanged: (_, state) => heard.push(state),
        onVmChanged: () => undefined,
        onVmRemoved: () => heard.push("removed"),
        onJob: () => undefined,
        onCacheChanged: () => undefined,
      };
      const id = await goldenId();
      api.subscribe(listener);
      await eventually("a connection", () => heard.includes("connected"));
      await api.changeState(id, "start");
      await eventually("the start", () => heard.includes("running"));
      assert.deepEqual(heard, ["connected", "starting", "running"]);
      await mac.restart();
      await eventually("the connection after the restart", () => heard.at(-1) === "connected");
      assert.equal(await stateOf(id), "running");
      await api.deleteVm(id, { force: true });
      await eventually("the removal", () => heard.includes("removed"));
    });
  });
}
