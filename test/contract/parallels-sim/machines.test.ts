import assert from "node:assert/strict";
import { closeServices, type Json, readVm, startService } from "./service.ts";

describe("the local API's machines", () => {
  afterEach(closeServices);

  it("lists none as an empty list", async () => {
    const { call } = await startService();
    assert.deepEqual((await call("GET", "/api/v1/machines")).json, []);
  });

  it("shows sizes and uptimes as strings, the CPU count as a number", async () => {
    const service = await startService({
      vms: [{ name: "one", os: "ubuntu", cpuCount: 3, memoryMib: 3_000, diskMib: 30_000 }],
    });
    const vm = await readVm(service, "one");
    assert.match(vm.ID, /^[0-9a-f-]{36}$/);
    assert.deepEqual([vm.State, vm.OS, vm.Type, vm.Uptime], ["stopped", "ubuntu", "VM", "0"]);
    assert.equal(vm.Hardware.cpu.cpus, 3);
    assert.equal(vm.Hardware.memory.size, "3000Mb");
    assert.equal(vm.Hardware.hdd0.size, "30000Mb");
    assert.match(vm.Hardware.net0.mac, /^001C42[0-9A-F]{6}$/);
    assert.deepEqual(vm.Network.ipAddresses, []);
    assert.equal(vm.Modality["Show on all spaces "], "on");
  });

  it("a macOS guest on Apple silicon is of another type", async () => {
    const service = await startService({ vms: [{ name: "one", os: "macosx" }] });
    assert.equal((await readVm(service, "one")).Type, "APPLE_VZ_VM");
  });

  it("filters by one property and a regular expression", async () => {
    const { call, running } = await startService({ vms: [{ name: "Alpha" }, { name: "beta" }, { name: "alpha-2" }] });
    const names = async (filter: string): Promise<string[]> => {
      const headers = { "x-api-key": running.apiKey, "x-filter": filter };
      const { json } = await call("GET", "/api/v1/machines", { headers });
      return json.map((vm: Json) => vm.Name);
    };
    assert.deepEqual(await names("Name=^alpha"), ["alpha-2"]);
    assert.deepEqual(await names("name=^alpha,i"), ["Alpha", "alpha-2"]);
    assert.deepEqual(await names("State=running"), []);
  });

  it("an unknown VM is a 404 whose message alone says so, on every route", async () => {
    const { call } = await startService();
    for (const [method, path, body] of [
      ["GET", "/api/v1/machines/nobody", undefined],
      ["GET", "/api/v1/machines/nobody/status", undefined],
      ["PUT", "/api/v1/machines/nobody/start", undefined],
      ["DELETE", "/api/v1/machines/nobody", undefined],
      ["PUT", "/api/v1/machines/nobody/clone", { clone_name: "x" }],
      ["PUT", "/api/v1/machines/nobody/execute", { command: "true" }],
    ] as const) {
      const reply = await call(method, path, body === undefined ? {} : { body });
      assert.equal(reply.status, 404);
      assert.equal(reply.json.message, "error 404: Virtual machine not found");
    }
  });

  it("an unknown VM takes its time", async () => {
    const { call } = await startService({ delays: { unknownVm: [300, 300] } });
    const before = performance.now();
    await call("GET", "/api/v1/machines/nobody");
    assert(performance.now() - before >= 295);
  });

  it("a clone has the source's old MAC address, until it is given one", async () => {
    const service = await startService({ vms: [{ name: "golden" }] });
    const source = await readVm(service, "golden");
    const { status, json } = await service.call("PUT", `/api/v1/machines/${source.ID}/clone`, {
      body: { clone_name: "copy" },
    });
    assert.deepEqual([status, json.status, json.error], [200, "Success", ""]);
    const clone = await readVm(service, "copy");
    assert.equal(clone.ID, json.id);
    assert.equal(clone.Hardware.net0.mac, source.Hardware.net0.mac);
    assert.notEqual((await readVm(service, "golden")).Hardware.net0.mac, source.Hardware.net0.mac);
    const options = [
      { flag: "device-set", value: "net0" },
      { flag: "mac", value: "auto" },
    ];
    const set = await service.call("PUT", `/api/v1/machines/${json.id}/set`, {
      body: { owner: "ci", operations: [{ group: "cmd", operation: "set", value: "", options }] },
    });
    assert.deepEqual(set.json, { operations: [{ group: "cmd", operation: "set", status: "Success" }] });
    assert.notEqual((await readVm(service, "copy")).Hardware.net0.mac, source.Hardware.net0.mac);
  });

  it("CPU and memory are set while the VM is stopped, and refused with 400 otherwise", async () => {
    const service = await startService({ vms: [{ name: "one" }] });
    const body = {
      operations: [
        { group: "cpu", operation: "set", value: "2" },
        { group: "memory", operation: "set", value: "2048" },
      ],
    };
    assert.equal((await service.call("PUT", "/api/v1/machines/one/set", { body })).status, 200);
    const { Hardware } = await readVm(service, "one");
    assert.deepEqual([Hardware.cpu.cpus, Hardware.memory.size], [2, "2048Mb"]);
    service.running.mac.person.startVm("one");
    const refused = await service.call("PUT", "/api/v1/machines/one/set", { body });
    assert.deepEqual([refused.status, refused.json.message], [400, "error: VM is not stopped"]);
  });

  it("a set that makes no sense is a 400", async () => {
    const { call } = await startService({ vms: [{ name: "one" }] });
    for (const operations of [
      [],
      [{ operation: "set", value: "1" }],
      [{ group: "cpu", operation: "set", value: "" }],
      [{ group: "wings", operation: "set", value: "2" }],
      [{ group: "cmd", operation: "set" }],
    ]) {
      assert.equal((await call("PUT", "/api/v1/machines/one/set", { body: { operations } })).status, 400);
    }
  });

  it("a deletion is accepted with an empty body", async () => {
    const { call } = await startService({ vms: [{ name: "off" }, { name: "on", os: "linux", state: "running" }] });
    const refused = await call("DELETE", "/api/v1/machines/on");
    assert.deepEqual([refused.status, refused.json.message], [400, "error: VM is not stopped"]);
    for (const path of ["/api/v1/machines/off", "/api/v1/machines/on?force=true"]) {
      const reply = await call("DELETE", path);
      assert.deepEqual([reply.status, reply.text], [202, ""]);
    }
    assert.deepEqual((await call("GET", "/api/v1/machines")).json, []);
  });

  it("a rename answers with the VM, and is refused while it runs", async () => {
    const { call } = await startService({ vms: [{ name: "one" }, { name: "on", state: "running" }] });
    const reply = await call("PUT", "/api/v1/machines/one/rename", { body: { new_name: "two" } });
    assert.deepEqual([reply.status, reply.json.Name], [200, "two"]);
    const refused = await call("PUT", "/api/v1/machines/on/rename", { body: { new_name: "off" } });
    assert.equal(refused.status, 400);
  });

  it("a VM is unregistered, which takes its id in the body too, and registered again from its folder", async () => {
    const service = await startService({ vms: [{ name: "one", os: "ubuntu" }] });
    const { ID, Home } = await readVm(service, "one");
    const path = `/api/v1/machines/${ID}/unregister`;
    assert.equal((await service.call("POST", path, { body: { owner: "ci" } })).status, 400);
    const done = await service.call("POST", path, { body: { id: ID, owner: "ci" } });
    assert.deepEqual([done.status, done.json.success], [200, true]);
    assert.deepEqual((await service.call("GET", "/api/v1/machines")).json, []);
    const body = { path: Home, owner: "ci", machine_name: "two" };
    const registered = await service.call("POST", "/api/v1/machines/register", { body });
    assert.deepEqual([registered.status, registered.json.Name, registered.json.OS], [200, "two", "ubuntu"]);
  });
});
