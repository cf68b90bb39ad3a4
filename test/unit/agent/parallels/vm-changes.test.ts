import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { CreateFromCatalog } from "../../../../agent/parallels/api.ts";
import { eventually, rejection } from "./rejection.ts";
import { type ScriptedService, startScriptedService } from "./scripted-service.ts";

const request: CreateFromCatalog = {
  jobId: "job-1",
  name: "meridian-1",
  architecture: "arm64",
  catalogId: "MACOS-15-CI",
  version: "v3",
  url: "https://catalog.example.com",
  username: "ci",
  password: "s3cret-password",
};

describe("changes of a VM", () => {
  let service: ScriptedService;

  beforeEach(async () => {
    service = await startScriptedService();
  });

  afterEach(() => service.close());

  it("a create chooses the job's id, starts nothing and gives no specs", async () => {
    service.answer("POST /machines/async", { status: 202, json: { id: "job-1", state: "" } });
    await service.connect({ owner: "ci", vmFolder: "/Users/ci/Parallels" }).beginCreate(request);
    const [seen] = service.seen("/machines/async");
    assert.equal(seen?.headers["x-internal-api-client"], "true");
    assert.equal(seen?.headers["x-orchestrator-job-id"], "job-1");
    assert.deepEqual(seen?.body, {
      name: "meridian-1",
      architecture: "arm64",
      owner: "ci",
      start_on_create: false,
      catalog_manifest: {
        catalog_id: "MACOS-15-CI",
        version: "v3",
        connection: "host=https://catalog.example.com;username=ci;password=s3cret-password",
        path: "/Users/ci/Parallels",
      },
    });
  });

  it("a create whose job got another id is an error, as nobody could follow it", async () => {
    service.answer("POST /machines/async", { status: 202, json: { id: "another" } });
    assert.equal((await rejection(service.connect().beginCreate(request))).kind, "failed");
  });

  it("a refused create, and a failed job, do not tell the catalog's password", async () => {
    const message = "error 400: Error pulling manifest: cannot use password=s3cret-password";
    service.answer("POST /machines/async", { status: 400, json: { message, code: 400 } });
    service.answer("GET /jobs/job-1", { json: { id: "job-1", state: "failed", error: message, message } });
    const api = service.connect();
    const error = await rejection(api.beginCreate(request));
    const job = await api.readJob("job-1");
    assert.equal(error.kind, "catalog");
    for (const text of [error.message, job?.error, job?.message]) {
      assert.match(text ?? "", /pulling manifest: cannot use password=\[redacted\]/);
    }
  });

  it("a removal that is accepted, and one of a VM that is not there, succeed", async () => {
    const api = service.connect();
    service.answer("DELETE /machines/vm-1?force=true", { status: 202 });
    await api.deleteVm("vm-1", { force: true });
    service.answer("DELETE /machines/vm-1", {
      status: 404,
      json: { message: "error 404: Virtual machine not found", code: 404 },
    });
    await api.deleteVm("vm-1", { force: false });
    service.answer("DELETE /machines/vm-1", {
      status: 404,
      json: { message: "Failed to delete: the disk is busy", code: 404 },
    });
    assert.equal((await rejection(api.deleteVm("vm-1", { force: false }))).kind, "failed");
    service.answer("DELETE /machines/vm-1", { status: 400, json: { message: "error: VM is not stopped", code: 400 } });
    assert.equal((await rejection(api.deleteVm("vm-1", { force: false }))).kind, "state-not-allowed");
  });

  it("after a clone the clone gets a new MAC address, not the source", async () => {
    service.answer("PUT /machines/golden/clone", { json: { id: "copy", status: "Success", error: "" } });
    service.answer("PUT /machines/copy/set", {
      json: { operations: [{ group: "cmd", operation: "set", status: "Success" }] },
    });
    assert.equal(await service.connect().cloneVm("golden", "meridian-1"), "copy");
    assert.deepEqual(service.seen("/machines/golden/clone")[0]?.body, { clone_name: "meridian-1" });
    const options = [
      { flag: "device-set", value: "net0" },
      { flag: "mac", value: "auto" },
    ];
    const operations = [{ group: "cmd", operation: "set", value: "", options }];
    assert.deepEqual(service.seen("/machines/copy/set")[0]?.body, { operations });
    assert.equal(service.seen("/machines/golden/set").length, 0);
  });

  it("a clone whose id the reply lacks is looked up by its whole name", async () => {
    service.answer("PUT /machines/golden/clone", { json: { id: "", status: "Success" } });
    const vms = [
      { ID: "other", Name: "meridian-12" },
      { ID: "copy", Name: "meridian-1" },
    ];
    service.answer("GET /machines", { json: vms });
    service.answer("PUT /machines/copy/set", { json: null });
    assert.equal(await service.connect().cloneVm("golden", "meridian-1"), "copy");
    service.answer("GET /machines", { json: [] });
    assert.equal((await rejection(service.connect().cloneVm("golden", "meridian-1"))).kind, "failed");
  });

  it("a clone that gets no MAC address is removed again", async () => {
    service.answer("PUT /machines/golden/clone", { json: { id: "copy", status: "Success" } });
    service.answer("PUT /machines/copy/set", { json: { operations: [{ group: "cmd", error: "VM is not stopped" }] } });
    service.answer("DELETE /machines/copy", { status: 202 });
    assert.equal((await rejection(service.connect().cloneVm("golden", "meridian-1"))).kind, "state-not-allowed");
    assert.equal(service.seen("/machines/copy").length, 1);
  });

  it("CPU and memory are set as texts, only those that are asked for", async () => {
    service.answer("PUT /machines/vm-1/set", { json: { operations: [] } });
    const api = service.connect();
    await api.configureVm("vm-1", { cpuCount: 4, memoryMib: 8192 });
    await api.configureVm("vm-1", { memoryMib: 4096 });
    await api.configureVm("vm-1", {});
    assert.deepEqual(
      service.seen("/machines/vm-1/set").map((seen) => seen.body),
      [
        {
          operations: [
            { group: "cpu", operation: "set", value: "4" },
            { group: "memory", operation: "set", value: "8192" },
          ],
        },
        { operations: [{ group: "memory", operation: "set", value: "4096" }] },
      ],
    );
    assert.equal((await rejection(api.configureVm("vm-1", { cpuCount: 1.5 }))).kind, "failed");
  });

  it("a command is one quoted string, never with the service's own variables", async () => {
    service.answer("PUT /machines/vm-1/execute", {
      json: { stdout: "15.5\n", stderr: "", exit_code: 3, error: "exit status 3" },
    });
    const command = ["sh", "-c", "echo $A; echo 'it'"];
    const result = await service.connect().execute("vm-1", { command, env: { A: "b c" }, timeoutMs: 1000 });
    assert.deepEqual(result, { stdout: "15.5\n", stderr: "", exitCode: 3 });
    const expected = String.raw`env 'A=b c' sh -c 'echo $A; echo '\''it'\'''`;
    assert.deepEqual(service.seen("/machines/vm-1/execute")[0]?.body, { command: expected });
  });

  it("a command that never ran is an error", async () => {
    const api = service.connect();
    service.answer("PUT /machines/vm-1/execute", {
      json: { stdout: "", stderr: "", exit_code: 0, error: "prlctl is gone" },
    });
    assert.match(
      (await rejection(api.execute("vm-1", { command: ["true"], timeoutMs: 1000 }))).message,
      /prlctl is gone/,
    );
    service.answer("PUT /machines/vm-1/execute", {
      status: 400,
      json: { message: "error: VM is not running", code: 400 },
    });
    assert.equal(
      (await rejection(api.execute("vm-1", { command: ["true"], timeoutMs: 1000 }))).kind,
      "state-not-allowed",
    );
    service.answer("PUT /machines/vm-1/execute", { json: {} });
    assert.equal((await rejection(api.execute("vm-1", { command: ["true"], timeoutMs: 1000 }))).kind, "failed");
  });

  it("at most two commands run at once on a Mac; the others wait their turn, or give up", async () => {
    const releases: (() => void)[] = [];
    service.answer("PUT /machines/vm-1/execute", async () => {
      await new Promise<void>((resolve) => releases.push(resolve));
      return { json: { stdout: "", stderr: "", exit_code: 0, error: "" } };
    });
    const api = service.connect();
    const run = (signal?: AbortSignal): Promise<unknown> =>
      api.execute("vm-1", { command: ["true"], timeoutMs: 60_000, ...(signal === undefined ? {} : { signal }) });
    const abort = new AbortController();
    const calls = [run(), run()];
    await eventually("two run", () => releases.length === 2);
    const impatient = rejection(run(abort.signal));
    calls.push(run());
    abort.abort(new Error("enough"));
    assert.match((await impatient).message, /the wait for PUT .* given up/);
    assert.equal(releases.length, 2);
    releases[0]?.();
    await eventually("the third runs", () => releases.length === 3);
    releases[1]?.();
    releases[2]?.();
    await Promise.all(calls);
    assert.equal(service.seen("/machines/vm-1/execute").length, 3);
  });
});
