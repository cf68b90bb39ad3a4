import assert from "node:assert/strict";
import { buildMac } from "./builders.ts";
import { settle } from "./manual-clock.ts";

async function buildRunning() {
  const built = buildMac({ vms: [{ name: "one", state: "running" }, { name: "off" }] });
  await settle();
  return built;
}

describe("commands in simulated guests", () => {
  it("answer from a small table, with the exit code in a result", async () => {
    const { mac } = await buildRunning();
    assert.deepEqual(await mac.execute("one", "sw_vers -productVersion"), {
      stdout: "15.5\n",
      stderr: "",
      exitCode: 0,
      error: "",
    });
    assert.equal((await mac.execute("one", "exit 7")).exitCode, 7);
    const unknown = await mac.execute("one", "make");
    assert.deepEqual([unknown.exitCode, unknown.error === ""], [127, false]);
  });

  it("are refused unless the VM runs", async () => {
    const { mac } = await buildRunning();
    await assert.rejects(mac.execute("off", "true"), { status: 400, message: "error: VM is not running" });
  });

  it("run two at once, and others wait for their turn", async () => {
    const { mac, clock } = await buildRunning();
    const ended: string[] = [];
    const run = (name: string, seconds: number) => mac.execute("one", `sleep ${seconds}`).then(() => ended.push(name));
    const all = Promise.all([run("a", 10), run("b", 20), run("c", 5), run("d", 1)]);
    await clock.advance(9_999);
    assert.deepEqual(ended, []);
    await clock.advance(1);
    assert.deepEqual(ended, ["a"]);
    await clock.advance(5_000);
    assert.deepEqual(ended, ["a", "c"]);
    await clock.advance(20_000);
    await all;
    assert.deepEqual(ended, ["a", "c", "d", "b"]);
  });

  it("are killed after three minutes", async () => {
    const { mac, clock } = await buildRunning();
    const result = mac.execute("one", "sleep 1000");
    await clock.advance(180_000);
    assert.deepEqual([(await result).exitCode, (await result).error], [-1, ", err: signal: killed"]);
  });

  it("end with the guest, and leave their turn to others", async () => {
    const { mac } = await buildRunning();
    const results = [1, 2, 3].map(() => mac.execute("one", "sleep 100"));
    await settle();
    mac.person.stopVm("one");
    const codes = (await Promise.all(results)).map(({ exitCode }) => exitCode);
    assert.deepEqual(codes, [255, 255, 255]);
    mac.person.startVm("one");
    await settle();
    assert.equal((await mac.execute("one", "true")).exitCode, 0);
  });

  it("variables are put before the command in quotes that a quote breaks out of", async () => {
    const { mac } = await buildRunning();
    assert.equal((await mac.execute("one", "echo hello", { CI: "1" })).stdout, "hello\n");
    // The quote ends the shell's argument, so the rest of the command is lost.
    assert.equal((await mac.execute("one", "echo 'a b'", { CI: "1" })).stdout, "a\n");
  });

  it("fail while the guest boots", async () => {
    const { mac, clock } = buildMac({ vms: [{ name: "one" }], delays: { boot: [8_000, 8_000] } });
    await mac.changeState("one", "start");
    const early = await mac.execute("one", "true");
    assert.equal(early.exitCode, 255);
    assert.match(early.stderr, /finished booting/);
    await clock.advance(8_000);
    assert.equal((await mac.execute("one", "true")).exitCode, 0);
  });
});
