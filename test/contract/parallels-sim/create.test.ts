import assert from "node:assert/strict";
import { closeServices, type Json, readVm, startService, untilReply } from "./service.ts";

const catalog = [
  { catalogId: "MACOS-15", version: "v1", architecture: "arm64", cpuCount: 6, memoryMib: 6_144, diskMib: 50_000 },
  { catalogId: "INTEL", version: "v1", architecture: "x86_64" },
] as const;

function buildBody(change: Readonly<Record<string, unknown>> = {}, manifest: Readonly<Record<string, unknown>> = {}) {
  const connection = "host=user:password@https://catalog.example.com:443";
  const catalog_manifest = { catalog_id: "MACOS-15", version: "v1", connection, ...manifest };
  return { name: "runner-42", architecture: "arm64", catalog_manifest, ...change };
}

describe("the local API's creates", () => {
  afterEach(closeServices);

  it("a plain create answers 200 when the VM is there", async () => {
    const service = await startService({ catalog });
    const { status, json } = await service.call("POST", "/api/v1/machines", { body: buildBody() });
    const vm = await readVm(service, "runner-42");
    assert.equal(status, 200);
    assert.deepEqual([json.id, json.name, json.host, json.current_state], [vm.ID, "runner-42", "", "stopped"]);
    assert.deepEqual([vm.Hardware.cpu.cpus, vm.Hardware.memory.size, vm.State], [6, "6144Mb", "stopped"]);
  });

  it("specs are strings, and one that is no number counts as 1", async () => {
    const service = await startService({ catalog });
    const body = buildBody({ start_on_create: true }, { specs: { cpu: "2", memory: "lots", disk: "1" } });
    assert.equal((await service.call("POST", "/api/v1/machines", { body })).json.current_state, "running");
    const { Hardware } = await readVm(service, "runner-42");
    assert.deepEqual([Hardware.cpu.cpus, Hardware.memory.size, Hardware.hdd0.size], [2, "1Mb", "50000Mb"]);
  });

  it("an asynchronous create answers 202 with a job, which a user can follow to the VM", async () => {
    const service = await startService({ catalog, delays: { download: [200, 200] } });
    const headers = await service.logIn();
    const { status, json } = await service.call("POST", "/api/v1/machines/async", { body: buildBody(), headers });
    assert.equal(status, 202);
    assert.deepEqual([json.job_type, json.job_operation, json.is_orchestrator_job], ["machines", "create", false]);
    const read = () => service.call("GET", `/api/v1/jobs/${json.id}`, { headers });
    const running = await untilReply(read, (reply) => reply.json.progress > 10);
    const step = running.json.steps.find((one: Json) => one.state === "running");
    assert.deepEqual([running.json.state, step.has_percentage, step.unit], ["running", true, "bytes"]);
    assert.equal(step.total, 20_480 * 2 ** 20);
    const done = await untilReply(read, (reply) => reply.json.state !== "running");
    const vm = await readVm(service, "runner-42");
    assert.deepEqual(
      [done.json.state, done.json.progress, done.json.result, done.json.result_record_id],
      ["completed", 100, `Virtual machine ${vm.ID} created`, vm.ID],
    );
    assert.equal(done.json.result_record_type, "virtual_machine");
    assert.equal((await service.call("GET", "/api/v1/jobs", { headers })).json.length, 1);
    assert.equal((await service.call("DELETE", `/api/v1/jobs/${json.id}`, { headers })).status, 204);
    assert.equal((await read()).status, 404);
    assert.equal((await service.call("DELETE", "/api/v1/jobs/cleanup", { headers })).status, 200);
  });

  it("with both headers the caller chooses the job's id, and the same id again makes no second VM", async () => {
    const service = await startService({ catalog });
    const headers = {
      ...(await service.logIn()),
      "x-internal-api-client": "true",
      "x-orchestrator-job-id": "my-job",
    };
    for (let round = 0; round < 2; round += 1) {
      const { status, json } = await service.call("POST", "/api/v1/machines/async", { body: buildBody(), headers });
      assert.deepEqual([status, json.id, json.state], [202, "my-job", ""]);
    }
    const job = await service.call("GET", "/api/v1/jobs/my-job", { headers });
    assert.equal(job.json.state, "completed");
    await readVm(service, "runner-42");
  });

  it("one of the headers alone leaves the id to the service", async () => {
    const service = await startService({ catalog });
    const headers = { ...(await service.logIn()), "x-orchestrator-job-id": "my-job" };
    const { json } = await service.call("POST", "/api/v1/machines/async", { body: buildBody(), headers });
    assert.notEqual(json.id, "my-job");
  });

  for (const [what, manifest] of [
    ["an unknown manifest", { catalog_id: "NOBODY" }],
    ["a manifest of another architecture", { catalog_id: "INTEL" }],
  ] as const) {
    it(`${what} is a 400 of the plain create, and fails the asynchronous one's job`, async () => {
      const service = await startService({ catalog });
      const body = buildBody({}, manifest);
      const plain = await service.call("POST", "/api/v1/machines", { body });
      assert.equal(plain.status, 400);
      assert.match(plain.json.message, /^error 400: Error pulling manifest: /);
      const headers = await service.logIn();
      const { json } = await service.call("POST", "/api/v1/machines/async", { body, headers });
      const read = () => service.call("GET", `/api/v1/jobs/${json.id}`, { headers });
      const ended = await untilReply(read, (reply) => reply.json.state !== "running");
      assert.equal(ended.json.state, "failed");
      assert.match(ended.json.error, /^error 400: Error pulling manifest: /);
      assert.deepEqual((await service.call("GET", "/api/v1/machines")).json, []);
    });
  }

  it("a create without a name or a template, or with two ways to the catalog, is a 400", async () => {
    const { call } = await startService({ catalog });
    for (const body of [
      buildBody({ name: "" }),
      buildBody({ catalog_manifest: undefined }),
      buildBody({}, { catalog_manager_id: "x" }),
      buildBody({ packer_template: {} }),
    ]) {
      for (const path of ["/api/v1/machines", "/api/v1/machines/async"]) {
        assert.equal((await call("POST", path, { body })).status, 400);
      }
    }
  });

  it("pulled images are in the cache, and can be removed from it", async () => {
    const service = await startService({ catalog });
    await service.call("POST", "/api/v1/machines", { body: buildBody() });
    for (const path of ["/api/v1/cache", "/api/v1/catalog/cache"]) {
      const { json } = await service.call("GET", path);
      const { catalog_id, version, architecture, cache_size } = json.manifests[0];
      assert.deepEqual([catalog_id, version, architecture], ["MACOS-15", "v1", "arm64"]);
      assert.deepEqual([cache_size, json.total_size], [20_480, 20_480]);
    }
    const unknown = await service.call("DELETE", "/api/v1/cache/NOBODY");
    assert.equal(unknown.status, 404);
    assert(unknown.json.diagnostics);
    assert.equal((await service.call("DELETE", "/api/v1/cache/MACOS-15/v1")).status, 202);
    assert.equal((await service.call("DELETE", "/api/v1/cache")).status, 202);
    assert.deepEqual((await service.call("GET", "/api/v1/cache")).json.manifests, []);
  });
});
