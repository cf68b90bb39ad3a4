import assert from "node:assert/strict";
import type { ParallelsListener } from "../../../agent/parallels/api.ts";
import { createInMemoryApi } from "../../../simulator/in-memory-api.ts";
import { buildMac, macosManifest } from "./builders.ts";
import { settle } from "./manual-clock.ts";

function buildApi(options: Parameters<typeof buildMac>[0] = {}) {
  const built = buildMac({ catalog: [macosManifest], ...options });
  return { ...built, api: createInMemoryApi(built.mac) };
}

/** A listener that writes down what it hears. */
function createListener(heard: string[]): ParallelsListener {
  return {
    onConnected: () => heard.push("connected"),
    onDisconnected: () => heard.push("disconnected"),
    onStateChanged: (_vmId, state) => heard.push(state),
    onVmChanged: (vm) => heard.push(`${vm.name} ${vm.ipAddresses.join()}`),
    onVmRemoved: () => heard.push("removed"),
    onJob: (job) => heard.push(`job ${job.state}`),
    onCacheChanged: () => heard.push("cache"),
  };
}

const request = { architecture: "arm64", catalogId: "MACOS-15", version: "v1", url: "https://catalog.example.com" };

describe("the agent's port on a simulated Mac without HTTP", () => {
  it("reads the facts of the Mac", async () => {
    const { api, mac } = buildApi({ cpuCount: 10, memoryMib: 16_384, diskMib: 500_000, diskUsedMib: 100_000 });
    const hardware = await api.readHardware();
    assert.deepEqual([hardware.totalCpuCount, hardware.totalMemoryMib], [10, 16_384]);
    assert.deepEqual(await api.readDiskSpace(), { freeMib: 400_000, totalMib: 500_000 });
    assert.equal((await api.readLicence()).isValid, true);
    mac.setLicence("expired");
    assert.deepEqual([(await api.readLicence()).state, (await api.readLicence()).isValid], ["expired", false]);
  });

  it("gives a clone a MAC address of its own", async () => {
    const { api, mac } = buildApi({ vms: [{ name: "golden" }] });
    const id = await api.cloneVm("golden", "copy");
    assert.notEqual(mac.person.vm(id).macAddress, mac.person.vm("golden").macAddress);
    await api.configureVm(id, { cpuCount: 2, memoryMib: 2_048 });
    assert.deepEqual([mac.person.vm(id).cpuCount, mac.person.vm(id).memoryMib], [2, 2_048]);
  });

  it("tells what happens, in order, after it has said that it is connected", async () => {
    const { api } = buildApi({ vms: [{ name: "one" }] });
    const heard: string[] = [];
    const subscription = api.subscribe(createListener(heard));
    assert.deepEqual(heard, []);
    await settle();
    await api.changeState("one", "start");
    await settle();
    await api.deleteVm("one", { force: true });
    assert.deepEqual(heard, [
      "connected",
      "starting",
      "running",
      "one ",
      "one 127.0.4.1",
      "stopping",
      "stopped",
      "one ",
      "removed",
    ]);
    subscription.close();
    await api.beginCreate({ ...request, jobId: "job-1", name: "build-1" });
    await settle();
    assert.equal(heard.length, 9);
  });

  it("makes a VM of a catalog under the caller's job id", async () => {
    const { api } = buildApi();
    const heard: string[] = [];
    api.subscribe(createListener(heard));
    await settle();
    await api.beginCreate({ ...request, jobId: "job-1", name: "build-1", username: "u", password: "p" });
    await settle();
    const job = await api.readJob("job-1");
    assert.deepEqual([job?.state, job?.percent], ["succeeded", 100]);
    assert.equal((await api.listVms())[0]?.id, job?.vmId);
    assert.equal(heard.at(-1), "job succeeded");
    assert(heard.includes("cache"));
    assert.equal((await api.listCachedImages())[0]?.catalogId, "MACOS-15");
    assert.equal(await api.readJob("job-2"), undefined);
  });

  it("passes each word of a command to the guest as it is", async () => {
    const { api } = buildApi({ vms: [{ name: "one", state: "running" }] });
    await settle();
    const command = ["echo", "it's", "a  b", "$HOME"];
    const result = await api.execute("one", { command, env: { A: "b c" }, timeoutMs: 1_000 });
    assert.equal(result.stdout, "it's a  b $HOME\n");
  });

  const failures: readonly [string, string, (api: ReturnType<typeof buildApi>["api"]) => Promise<unknown>][] = [
    ["vm-not-found", "an unknown VM", (api) => api.changeState("nobody", "start")],
    ["state-not-allowed", "a resume of what runs", (api) => api.changeState("on", "resume")],
    ["macos-limit", "one macOS guest too many", (api) => api.changeState("off", "start")],
    ["name-taken", "a clone under a taken name", (api) => api.cloneVm("off", "on")],
    ["disk-full", "a clone without room", (api) => api.cloneVm("off", "copy")],
  ];
  for (const [kind, what, act] of failures) {
    it(`${what} is ${kind}`, async () => {
      const vms = [{ name: "on", state: "running" }, { name: "off" }] as const;
      const { api, mac } = buildApi({ vms, macosGuestMax: 1 });
      if (kind === "disk-full") mac.setDiskFree(10);
      await assert.rejects(act(api), { name: "ParallelsError", kind });
    });
  }

  it("to delete what is not there is to have deleted it", async () => {
    const { api } = buildApi();
    await api.deleteVm("nobody", { force: false });
  });

  it("a hanging call ends at its limit, or with its signal", async () => {
    const { api, mac, clock } = buildApi();
    mac.faults.hang("list");
    const limited = assert.rejects(api.listVms(), { kind: "timed-out" });
    const stop = new AbortController();
    const aborted = assert.rejects(api.listVms(stop.signal), /enough/);
    await settle();
    stop.abort(new Error("enough"));
    await aborted;
    await clock.advance(30_000);
    await limited;
    assert.equal(clock.waitingCount, 0);
  });

  it("is unreachable while the service is down, and tells of its going and coming", async () => {
    const { api, mac } = buildApi();
    const heard: string[] = [];
    mac.takeServiceDown();
    api.subscribe(createListener(heard));
    await settle();
    assert.deepEqual(heard, []);
    await assert.rejects(api.listVms(), { kind: "unreachable" });
    mac.bringServiceUp();
    mac.restartService();
    assert.deepEqual(heard, ["connected", "disconnected", "connected"]);
    assert.deepEqual(await api.listVms(), []);
  });

  it("says nothing while the events are silent", async () => {
    const { api, mac } = buildApi({ vms: [{ name: "one" }] });
    const heard: string[] = [];
    api.subscribe(createListener(heard));
    await settle();
    mac.faults.areEventsSilent = true;
    await api.changeState("one", "start");
    assert.deepEqual(heard, ["connected"]);
  });

  it("closed, it answers nothing and tells nothing any more", async () => {
    const { api, mac } = buildApi();
    const heard: string[] = [];
    api.subscribe(createListener(heard));
    mac.faults.hang("list");
    const cut = assert.rejects(api.listVms(), { kind: "unreachable" });
    await api.close();
    await cut;
    mac.person.createVm({ name: "one" });
    await settle();
    assert.deepEqual(heard, []);
    await assert.rejects(api.listVms(), { kind: "unreachable" });
    await api.close();
  });
});
