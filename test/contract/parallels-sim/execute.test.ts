import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { closeServices, startService, untilReply } from "./service.ts";

describe("the local API's commands", () => {
  afterEach(closeServices);

  it("answer 200 with the exit code, also when the command failed", async () => {
    const { call } = await startService({ vms: [{ name: "one", state: "running" }] });
    const good = await call("PUT", "/api/v1/machines/one/execute", { body: { command: "echo hello" } });
    assert.deepEqual([good.status, good.json], [200, { stdout: "hello\n", stderr: "", exit_code: 0, error: "" }]);
    const bad = await call("PUT", "/api/v1/machines/one/execute", { body: { command: "exit 4" } });
    assert.deepEqual([bad.status, bad.json.exit_code], [200, 4]);
  });

  it("are a 400 on a VM that does not run, and without a command", async () => {
    const { call } = await startService({ vms: [{ name: "one" }] });
    const off = await call("PUT", "/api/v1/machines/one/execute", { body: { command: "true" } });
    assert.deepEqual([off.status, off.json.message], [400, "error: VM is not running"]);
    assert.equal((await call("PUT", "/api/v1/machines/one/execute", { body: {} })).status, 400);
  });

  it("run for real where they are asked to, with variables, in a folder that goes with the VM", async () => {
    const service = await startService({ vms: [{ name: "one", os: "linux", state: "running" }], realExecute: true });
    const run = (body: unknown) => service.call("PUT", "/api/v1/machines/one/execute", { body });
    const booted = await untilReply(
      () => run({ command: "pwd" }),
      ({ json }) => json.exit_code === 0,
    );
    const folder = booted.json.stdout.trim();
    const body = { command: "echo $GREETING > file; cat file", environment_variables: { GREETING: "good day" } };
    assert.equal((await run(body)).json.stdout, "good day\n");
    assert.equal(existsSync(`${folder}/file`), true);
    await service.call("DELETE", "/api/v1/machines/one?force=true");
    await service.running.close();
    assert.equal(existsSync(folder), false);
  });

  it("a guest's ports are open at the address that the list shows, while it runs", async () => {
    const service = await startService({ vms: [{ name: "one", os: "linux" }], guestPorts: [2_222], index: 77 });
    await service.call("PUT", "/api/v1/machines/one/start");
    const status = () => service.call("GET", "/api/v1/machines/one/status");
    const { json } = await untilReply(status, (reply) => reply.json.ip_configured !== "-");
    const host = json.ip_configured;
    assert.match(host, /^127\.1\.56\./);
    const socket = connect({ host, port: 2_222 });
    await once(socket, "connect");
    socket.resume();
    await service.call("PUT", "/api/v1/machines/one/stop");
    await once(socket, "close");
    assert.equal((await status()).json.ip_configured, "-");
  });
});
