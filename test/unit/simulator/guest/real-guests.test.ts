import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { systemClock } from "../../../../shared/clock.ts";
import { silentLogger } from "../../../../shared/log.ts";
import type { GuestWorld } from "../../../../simulator/guest/guest-world.ts";
import { createRealGuests } from "../../../../simulator/guest/real-guests.ts";

const guest = { vmId: "vm-1", os: "ubuntu", architecture: "arm64", address: "127.77.4.1" };
const never = new AbortController().signal;

/** Whether the connection is taken, or the code with which it is refused. */
function tryConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: guest.address, port });
    socket.on("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "failed"));
  });
}

describe("real simulated guests", () => {
  let guests: GuestWorld;
  beforeEach(() => {
    guests = createRealGuests({ clock: systemClock, log: silentLogger, ports: [2_222], runsCommands: true });
  });
  afterEach(() => guests.close());

  it("listen at their own address while they run", async () => {
    assert.equal(await tryConnect(2_222), "ECONNREFUSED");
    await guests.boot(guest);
    assert.equal(await tryConnect(2_222), "connected");
    guests.shutDown(guest.vmId);
    assert.equal(await tryConnect(2_222), "ECONNREFUSED");
    await guests.boot(guest);
    assert.equal(await tryConnect(2_222), "connected");
  });

  it("a guest that is switched off while it boots does not listen", async () => {
    const booting = guests.boot(guest);
    guests.shutDown(guest.vmId);
    await booting;
    assert.equal(await tryConnect(2_222), "ECONNREFUSED");
  });

  it("a guest that is switched off and on again while it boots listens", async () => {
    const boots: Promise<void>[] = [];
    for (let round = 0; round < 3; round += 1) {
      boots.push(guests.boot(guest));
      guests.shutDown(guest.vmId);
    }
    await Promise.all([...boots, guests.boot(guest)]);
    assert.equal(await tryConnect(2_222), "connected");
  });

  it("end with everything that runs in them", async () => {
    // One that runs, and one that has hardly begun.
    const running = [guests.execute(guest, "sleep 60", never)];
    await guests.execute(guest, "true", never);
    running.push(guests.execute(guest, "sleep 60", never));
    await guests.close();
    for (const { exitCode } of await Promise.all(running)) assert.equal(exitCode, 137);
  });

  it("run commands in a folder of their own, which goes with the VM", async () => {
    const first = await guests.execute(guest, "pwd; echo kept > file", never);
    assert.equal(first.exitCode, 0);
    const folder = first.stdout.trim();
    assert.equal((await guests.execute(guest, "cat file; echo oh >&2; exit 3", never)).stdout, "kept\n");
    const other = await guests.execute({ ...guest, vmId: "vm-2" }, "pwd", never);
    assert.notEqual(other.stdout.trim(), folder);
    guests.remove(guest.vmId);
    await guests.close();
    assert.equal(existsSync(folder), false);
    assert.equal(existsSync(other.stdout.trim()), false);
  });

  it("pass on both outputs and the exit code", async () => {
    const outcome = await guests.execute(guest, "echo out; echo err >&2; exit 3", never);
    assert.deepEqual(outcome, { stdout: "out\n", stderr: "err\n", exitCode: 3 });
  });

  it("do not pass this process's settings on", async () => {
    process.env["MERIDIAN_TEST_SECRET"] = "secret";
    try {
      const { stdout } = await guests.execute(guest, "env", never);
      assert(!stdout.includes("secret"));
    } finally {
      delete process.env["MERIDIAN_TEST_SECRET"];
    }
  });

  it("a command ends with the guest, and so does what it started", async () => {
    // The outputs close, and the call returns, only when the last process that holds them is gone.
    const running = guests.execute(guest, "sleep 60 & sleep 60", never);
    // Until the shell is there to be killed.
    await guests.execute(guest, "true", never);
    guests.shutDown(guest.vmId);
    assert.equal((await running).exitCode, 137);
  });

  it("a command ends when it is aborted, and its output is bounded", async () => {
    const stop = new AbortController();
    const running = guests.execute(guest, "yes", stop.signal);
    await guests.execute(guest, "sleep 0.3", never);
    stop.abort();
    const outcome = await running;
    assert.equal(outcome.exitCode, 137);
    assert(outcome.stdout.length > 0 && outcome.stdout.length <= 1_048_576);
  });
});
