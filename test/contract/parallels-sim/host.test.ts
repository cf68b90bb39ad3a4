import assert from "node:assert/strict";
import { closeServices, startService } from "./service.ts";

describe("the local API's facts of the host", () => {
  afterEach(closeServices);

  it("the hardware has all five blocks, counts only running VMs as used, and has the disk's columns mixed up", async () => {
    const { call } = await startService({
      cpuCount: 12,
      memoryMib: 32_768,
      diskMib: 500_000,
      diskUsedMib: 100_000,
      vms: [
        { name: "on", cpuCount: 4, memoryMib: 8_192, diskMib: 50_000, state: "running" },
        { name: "off", os: "ubuntu", cpuCount: 2, memoryMib: 2_048, diskMib: 20_000 },
        { name: "saved", os: "ubuntu", cpuCount: 1, memoryMib: 1_024, diskMib: 10_000, state: "suspended" },
      ],
    });
    const { status, json } = await call("GET", "/api/v1/config/hardware");
    assert.equal(status, 200);
    assert.deepEqual([json.cpu_type, json.devops_version, json.parallels_desktop_licensed], ["arm64", "1.0.5", true]);
    assert.deepEqual(json.system_reserved, { logical_cpu_count: 1, memory_size: 2_048, disk_count: 20_000 });
    assert.deepEqual(json.total, { logical_cpu_count: 12, memory_size: 32_768, disk_count: 320_000 });
    assert.deepEqual(json.total_available, {
      logical_cpu_count: 7,
      memory_size: 22_528,
      disk_count: 180_000,
      prl_home_free_size: 320_000,
      prl_home_total_size: 500_000,
    });
    const { mac_vms_running: macVms, ...inUse } = json.total_in_use;
    assert.deepEqual(inUse, { logical_cpu_count: 4, memory_size: 8_192, disk_count: 50_000 });
    assert.equal(macVms.length, 1);
    assert.deepEqual(json.total_reserved, { logical_cpu_count: 3, memory_size: 3_072, disk_count: 30_000 });
  });

  it("a VM counts as macOS by its name too", async () => {
    const { call } = await startService({ vms: [{ name: "machine-1", os: "ubuntu", state: "running" }] });
    const { json } = await call("GET", "/api/v1/config/hardware");
    assert.equal(json.total_in_use.mac_vms_running.length, 1);
  });

  it("the disk space is right, and anyone may ask", async () => {
    const { call, running } = await startService({ diskMib: 500_000, diskUsedMib: 100_000 });
    const ask = () => call("POST", "/api/v1/config/diskspace", { body: { username: "ci" }, headers: {} });
    const { status, json } = await ask();
    assert.equal(status, 200);
    assert.deepEqual([json.parallels_home_size, json.given_path_size], [400_000, 400_000]);
    running.mac.setDiskFree(12);
    assert.equal((await ask()).json.parallels_home_size, 12);
  });

  it("the licence is told as it is, while the hardware keeps what it saw when it started", async () => {
    const { call, running } = await startService();
    const status = async () =>
      (await call("GET", "/api/v1/config/parallels-desktop/license", { headers: {} })).json.status;
    const isLicensed = async () => (await call("GET", "/api/v1/config/hardware")).json.parallels_desktop_licensed;
    assert.deepEqual([await status(), await isLicensed()], ["ACTIVE", true]);
    running.mac.setLicence("expired");
    assert.deepEqual([await status(), await isLicensed()], ["EXPIRED", true]);
    await running.restart();
    assert.equal(await isLicensed(), false);
  });

  it("a slow, a failing and a hanging call are slow, fail and hang", async () => {
    const { call, running } = await startService();
    running.mac.faults.slow("hardware", 100);
    const before = performance.now();
    await call("GET", "/api/v1/config/hardware");
    assert(performance.now() - before >= 95);
    running.mac.faults.fail("diskSpace", { times: 1 });
    assert.equal((await call("POST", "/api/v1/config/diskspace", { body: {} })).status, 404);
    running.mac.faults.hang("list");
    let isAnswered = false;
    const listed = call("GET", "/api/v1/machines").then((reply) => {
      isAnswered = true;
      return reply;
    });
    await call("GET", "/api/v1/cache");
    assert.equal(isAnswered, false);
    running.mac.faults.clear();
    assert.equal((await listed).status, 200);
  });
});
