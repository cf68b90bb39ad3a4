import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { decodeEvent } from "../../../../agent/parallels/event-decoder.ts";
import { decodeJob } from "../../../../agent/parallels/job-decoder.ts";
import { parseGoDurationMs, parseSizeMib } from "../../../../agent/parallels/quantities.ts";
import { SecretWasher } from "../../../../agent/parallels/secrets.ts";
import { decodeVm, decodeVms } from "../../../../agent/parallels/vm-decoder.ts";
import { rejection } from "./rejection.ts";
import { type ScriptedService, startScriptedService } from "./scripted-service.ts";

const macVm = {
  ID: "4f2a1c3e",
  internal_ip_address: "10.211.55.7",
  Name: "builder-01",
  State: "running",
  OS: "macosx",
  Uptime: "3721",
  Hardware: { cpu: { cpus: 4 }, memory: { size: "8192Mb" }, hdd0: { size: "65536Mb" } },
  Network: {
    ipAddresses: [
      { type: "ipv4", ip: "10.211.55.7" },
      { type: "ipv6", ip: "fe80::1" },
    ],
  },
};

const hardware = {
  cpu_type: "arm64",
  cpu_brand: "Apple M2 Pro",
  devops_version: "1.0.5",
  os_version: "15.5",
  parallels_desktop_version: "20.3.0.55895",
  parallels_desktop_licensed: true,
  external_ip_address: "203.0.113.10",
  system_reserved: { logical_cpu_count: 1, memory_size: 2048, disk_count: 20000 },
  total: { logical_cpu_count: 12, memory_size: 32768, disk_count: 412000.5 },
  total_available: {
    logical_cpu_count: 7,
    memory_size: 22528,
    disk_count: 111,
    prl_home_free_size: 538000,
    prl_home_total_size: 994662,
  },
};

describe("what the service says", () => {
  let service: ScriptedService;

  beforeEach(async () => {
    service = await startScriptedService();
  });

  afterEach(() => service.close());

  it("of sizes may have any unit or none, and of durations is Go's", () => {
    const sizes = [
      "8192Mb",
      "8Gb",
      "8 GB",
      "8388608Kb",
      "0.5Tb",
      "538000 MB",
      "1048576B",
      4096.7,
      "12",
      "",
      "-5Mb",
      "much",
      null,
      {},
    ];
    assert.deepEqual(sizes.map(parseSizeMib), [8192, 8192, 8192, 8192, 524288, 538000, 1, 4096, 12, 0, 0, 0, 0, 0]);
    const durations = ["4m10s", "1h2m3.5s", "350ms", "0s", "", "soon", "5"];
    assert.deepEqual(durations.map(parseGoDurationMs), [250_000, 3_723_500, 350, 0, 0, 0, 0]);
  });

  it("of a VM becomes numbers and plain names", () => {
    assert.deepEqual(decodeVm(macVm), {
      id: "4f2a1c3e",
      name: "builder-01",
      state: "running",
      os: "macosx",
      isMacos: true,
      cpuCount: 4,
      memoryMib: 8192,
      diskMib: 65536,
      ipAddresses: ["10.211.55.7", "fe80::1"],
      uptimeSeconds: 3721,
    });
  });

  it("of a VM whose name holds 'mac' makes it a macOS guest, as the service counts it", () => {
    assert.equal(decodeVm({ ID: "1", Name: "MACHINE-1", OS: "ubuntu" }).isMacos, true);
    assert.equal(decodeVm({ ID: "1", Name: "meridian-1", OS: "ubuntu" }).isMacos, false);
  });

  it("of a state is kept as it is, also an unknown one", () => {
    assert.equal(decodeVm({ ID: "1", State: "defrosting" }).state, "defrosting");
    assert.equal(decodeVm({ ID: "1" }).state, "unknown");
  });

  it("of an address that is not known yet is left out, and ids lose their braces", () => {
    const vm = decodeVm({ ID: "{abc}", internal_ip_address: "-", Network: { ipAddresses: [null, { ip: "" }, 4] } });
    assert.deepEqual(vm.ipAddresses, []);
    assert.equal(vm.id, "abc");
  });

  it("of a VM twice is one VM, and of a VM without an id makes the whole list an error", () => {
    assert.deepEqual(
      decodeVms([
        { ID: "a", State: "stopped" },
        { ID: "a", State: "running" },
      ]).map((vm) => vm.state),
      ["running"],
    );
    assert.throws(() => decodeVms([{ ID: "a" }, {}]), { name: "ParallelsError", kind: "failed" });
  });

  it("of the hardware gives totals only, never what it calls free or in use", async () => {
    service.answer("GET /config/hardware", { json: hardware });
    assert.deepEqual(await service.connect().readHardware(), {
      architecture: "arm64",
      chip: "Apple M2 Pro",
      osVersion: "15.5",
      parallelsVersion: "20.3.0.55895",
      serviceVersion: "1.0.5",
      isLicensed: true,
      address: "203.0.113.10",
      totalCpuCount: 12,
      totalMemoryMib: 32768,
      reservedCpuCount: 1,
      reservedMemoryMib: 2048,
      reservedDiskMib: 20000,
    });
  });

  it("of hardware without totals is an error, not a Mac of nothing", async () => {
    service.answer("GET /config/hardware", { json: { ...hardware, total: null } });
    assert.equal((await rejection(service.connect().readHardware())).kind, "failed");
  });

  it("of the disk comes from where VMs are kept, never from disk_count", async () => {
    service.answer("GET /config/hardware", { json: hardware });
    for (const parallels_home_size of [400000, "400000 MB"]) {
      service.answer("POST /config/diskspace", { json: { cache_folder_size: 1, parallels_home_size } });
      const disk = await service.connect({ owner: "ci", vmFolder: "/Users/ci/Parallels" }).readDiskSpace();
      assert.deepEqual(disk, { freeMib: 400000, totalMib: 994662 });
    }
    assert.deepEqual(service.seen("/config/diskspace")[0]?.body, {
      username: "ci",
      folder_path: "/Users/ci/Parallels",
    });
  });

  it("of the disk is used as far as it goes when one of its two sources fails", async () => {
    service.answer("POST /config/diskspace", { json: { parallels_home_size: 7 } });
    assert.deepEqual(await service.connect().readDiskSpace(), { freeMib: 7, totalMib: 0 });
    service.answer("POST /config/diskspace", { status: 500, json: null });
    service.answer("GET /config/hardware", { json: hardware });
    assert.deepEqual(await service.connect().readDiskSpace(), { freeMib: 538000, totalMib: 994662 });
    service.answer("GET /config/hardware", { status: 500, json: null });
    assert.equal((await rejection(service.connect().readDiskSpace())).kind, "failed");
  });

  it("of the licence has one shape or another", async () => {
    const api = service.connect();
    const licences = [
      { status: "ACTIVE", serial: "x" },
      { state: "valid", key: "x" },
      { status: "EXPIRED" },
      { state: "" },
    ];
    const seen: unknown[] = [];
    for (const json of licences) {
      service.answer("GET /config/parallels-desktop/license", { json });
      seen.push(
        await api.readLicence().then(
          (licence) => [licence.state, licence.isValid],
          () => "error",
        ),
      );
    }
    assert.deepEqual(seen, [["ACTIVE", true], ["valid", true], ["EXPIRED", false], "error"]);
  });

  it("of the cache is the images in it, in MiB of the cache", async () => {
    const manifest = {
      catalog_id: "MACOS-15-CI",
      version: "v3",
      architecture: "arm64",
      size: 64424509440,
      cache_size: 20480,
    };
    service.answer("GET /cache", { json: { total_size: 1, manifests: [manifest, null, { version: "no id" }] } });
    const expected = [{ catalogId: "MACOS-15-CI", version: "v3", architecture: "arm64", sizeMib: 20480 }];
    assert.deepEqual(await service.connect().listCachedImages(), expected);
    service.answer("GET /cache", { json: { total_size: 0, manifests: null } });
    assert.deepEqual(await service.connect().listCachedImages(), []);
  });

  it("of a job gives its step, its progress and the VM that it made", async () => {
    const steps = [
      { name: "validate", state: "completed", eta: "" },
      { name: "download", state: "running", eta: "4m10s", message: "a file" },
    ];
    service.answer("GET /jobs/job-1", {
      json: { id: "job-1", state: "running", message: "Downloading", progress: 37, steps },
    });
    assert.deepEqual(await service.connect().readJob("job-1"), {
      id: "job-1",
      state: "running",
      percent: 37,
      step: "download",
      message: "Downloading",
      etaMs: 250_000,
      error: "",
      vmId: "",
    });
    const washer = new SecretWasher();
    const states = ["init", "pending", "running", "completed", "failed", "skipped", "brooding"];
    const expected = ["running", "running", "running", "succeeded", "failed", "failed", "running"];
    assert.deepEqual(
      states.map((state) => decodeJob({ id: "1", state }, washer).state),
      expected,
    );
    const done = {
      id: "1",
      state: "completed",
      result_record_id: "vm-9",
      result_record_type: "virtual_machine",
      progress: 900,
    };
    assert.equal(decodeJob(done, washer).vmId, "vm-9");
    assert.equal(decodeJob(done, washer).percent, 100);
    assert.equal(decodeJob({ ...done, result_record_type: "catalog" }, washer).vmId, "");
  });

  it("of a job that it does not know is nothing; of a missing route is an error", async () => {
    const api = service.connect();
    service.answer("GET /jobs/job-1", { status: 404, json: { message: "error 404: job not found", code: 404 } });
    assert.equal(await api.readJob("job-1"), undefined);
    assert.equal((await rejection(api.readJob("job-2"))).kind, "failed");
  });

  it("of jobs to a key instead of a token is a refusal", async () => {
    service.onLogin = () => ({ status: 400, json: { message: "no api keys here" } });
    service.answer("GET /jobs/job-1", { status: 401, json: { message: "User not found", code: 401 } });
    assert.equal((await rejection(service.connect().readJob("job-1"))).kind, "unauthorised");
  });

  it("in events that are odd in any way is no event", () => {
    const washer = new SecretWasher();
    const odd = [
      "",
      "null",
      "[]",
      "7",
      "not json",
      "{}",
      '{"event_type":"pdfm"}',
      '{"event_type":"pdfm","message":"VM_STATE_CHANGED","body":null}',
      '{"event_type":"pdfm","message":"VM_STATE_CHANGED","body":{"vm_id":"1"}}',
      '{"event_type":"pdfm","message":"VM_ADDED","body":{"vm_id":"1","new_vm":null}}',
      '{"event_type":"pdfm","message":"VM_REMOVED","body":{"vm_id":7.5e999}}',
      '{"event_type":"pdfm","message":"VM_UPTIME_CHANGED","body":{"vm_id":"1","uptime":"1"}}',
      '{"event_type":"job_manager","message":"JOB_UPDATED","body":[]}',
      '{"event_type":"job_manager","message":"JOB_DELETED","body":{"id":"1"}}',
      '{"event_type":"stats","message":"System Stats","body":{}}',
      '{"event_type":"tomorrow","message":"NEW","body":{}}',
    ];
    assert.deepEqual(
      odd.filter((text) => decodeEvent(text, washer) !== undefined),
      [],
    );
  });
});
