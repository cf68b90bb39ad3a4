import assert from "node:assert/strict";
import type { HostCall, HostCallResult } from "../../../../server/sessions/host-calls.ts";
import { MeridianError } from "../../../../shared/errors.ts";
import { asHostId } from "../../../../shared/ids.ts";
import {
  type AgentClient,
  hostVmOf,
  STATE_FAILED,
  STATE_REFUSED,
  STATE_RUNNING,
  STATE_SUCCEEDED,
  until,
  updateOf,
} from "./agent-client.ts";
import { Link } from "./link-fixture.ts";

describe("sessions: direct calls", () => {
  let link: Link;
  let agent: AgentClient;
  let caller: AbortController;
  beforeEach(async () => {
    link = await Link.start();
    agent = link.agent();
    caller = new AbortController();
    await agent.open();
  });
  afterEach(() => link.close());

  const exec: HostCall = { kind: "exec", hostVmId: "vm-1", command: ["echo", "hi there"], env: { LANG: "C" } };
  const call = (what: HostCall, timeoutMs = 5000): Promise<HostCallResult> =>
    link.sessions.calls.call(asHostId("mac-1"), what, { timeoutMs, signal: caller.signal });

  it("runs a command in a guest and hands over what it wrote", async () => {
    const result = call(exec);
    const command = await agent.nextCommand();
    assert.match(command.id, /^call-[0-9a-f]{32}$/);
    assert.deepEqual(command, {
      id: command.id,
      epoch: 1,
      vmUid: "",
      generation: 0,
      leaseMs: 0,
      silenceLimitMs: 5000,
      hostVmName: "",
      hostVmId: "vm-1",
      action: { $case: "exec", exec: { command: ["echo", "hi there"], env: { LANG: "C" }, timeoutMs: 5000 } },
    });
    agent.update(command.id, STATE_RUNNING);
    const last = agent.update(command.id, STATE_SUCCEEDED, {
      exec: { stdout: Buffer.from("hi there\n"), stderr: Buffer.from("!"), exitCode: 3 },
    });
    const { exec: written } = await result;
    assert.ok(written !== undefined);
    assert.equal(Buffer.from(written.stdout).toString(), "hi there\n");
    assert.equal(Buffer.from(written.stderr).toString(), "!");
    assert.equal(written.exitCode, 3);
    await until(() => agent.acknowledged === last, "the acknowledgement");
    assert.ok(link.events.every(({ type }) => type !== "command-reported"));
  });

  it("orders about a VM that the pool does not own", async () => {
    const result = call({ kind: "stop", hostVmId: "by hand", force: true });
    const command = await agent.nextCommand();
    assert.deepEqual(command.action, { $case: "stop", stop: { force: true } });
    assert.equal(command.hostVmId, "by hand");
    agent.update(command.id, STATE_SUCCEEDED, { vm: hostVmOf({ state: "stopped" }) });
    assert.equal((await result).vm?.state, "stopped");
  });

  for (const [what, state] of [
    ["could not do", STATE_FAILED],
    ["refused", STATE_REFUSED],
  ] as const) {
    it(`tells in the host's words what it ${what}`, async () => {
      const result = call(exec);
      agent.update((await agent.nextCommand()).id, state, {
        failure: { reason: "NotRunning", message: "the VM is not running", suspect: 4, retryable: false },
      });
      const error = await errorOf(result);
      assert.equal(error.reason, "HOST_COMMAND_FAILED");
      assert.equal(error.message, "hosts/mac-1 could not do it: the VM is not running (NotRunning)");
      assert.equal(error.options.metadata?.["reason"], "NotRunning");
    });
  }

  it("says at once that a host is away", async () => {
    const nobody = link.sessions.calls.call(asHostId("mac-2"), exec, { timeoutMs: 5000, signal: caller.signal });
    assert.equal((await errorOf(nobody)).reason, "HOST_AWAY");
  });

  it("fails what is under way when the session ends, and drops what the host says of it later", async () => {
    const result = call(exec);
    const command = await agent.nextCommand();
    agent.close();
    const error = await errorOf(result);
    assert.equal(error.reason, "HOST_AWAY");
    assert.match(error.message, /may have been done/);
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const again = link.agent();
    await again.open({ commands: [updateOf(command.id, STATE_SUCCEEDED)] });
    const last = again.update(command.id, STATE_SUCCEEDED);
    await until(() => again.acknowledged === last, "the acknowledgement");
    assert.ok(link.events.every((event) => event.type !== "host-connected" || event.commands.length === 0));
  });

  it("gives up when the time is over, and tells the host", async () => {
    const result = call(exec, 1000);
    const command = await agent.nextCommand();
    link.clock.advance(1000);
    assert.equal((await errorOf(result)).reason, "HOST_TIMED_OUT");
    const { cancelCommand } = await agent.next("cancelCommand");
    assert.deepEqual(cancelCommand, { commandId: command.id, reason: "TimedOut" });
  });

  it("gives up when the caller does, with the caller's reason, and tells the host", async () => {
    const result = call(exec);
    const command = await agent.nextCommand();
    const reason = new Error("enough");
    caller.abort(reason);
    await assert.rejects(result, reason);
    assert.equal((await agent.next("cancelCommand")).cancelCommand.commandId, command.id);
    await assert.rejects(call(exec), reason);
  });

  it("bounds what is under way on one host", async () => {
    const underWay = Array.from({ length: 64 }, () => call(exec));
    assert.equal((await errorOf(call(exec))).reason, "LIMIT_REACHED");
    const { id } = await agent.nextCommand();
    agent.update(id, STATE_SUCCEEDED);
    await underWay[0];
    const next = call(exec);
    await agent.nextCommand(64);
    caller.abort(new Error("enough"));
    for (const ended of await Promise.allSettled([...underWay.slice(1), next])) assert.equal(ended.status, "rejected");
  });

  it("leaves no timer behind", async () => {
    const timers = link.clock.timerCount;
    const result = call(exec);
    agent.update((await agent.nextCommand()).id, STATE_SUCCEEDED);
    await result;
    assert.equal(link.clock.timerCount, timers);
  });
});

async function errorOf(result: Promise<unknown>): Promise<MeridianError> {
  const error = await result.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof MeridianError, String(error));
  return error;
}
