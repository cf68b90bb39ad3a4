import assert from "node:assert/strict";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { settle } from "../../../support/agent/fake-clock.ts";
import { failing } from "../../../support/agent/fake-parallels.ts";

describe("the watch on the Mac", () => {
  let bench: CommandBench;

  beforeEach(async () => {
    bench = new CommandBench();
    await settle();
    bench.parallels.calls.length = 0;
  });

  afterEach(() => bench.close());

  it("takes over a change from its event, without a list", async () => {
    const vm = bench.parallels.addVm({ name: "a" });
    bench.parallels.emit((listener) => listener.onVmChanged(vm));
    bench.parallels.changeVm(vm.id, { state: "running" });
    assert.equal(bench.watch.find(vm.id)?.state, "running");
    assert.equal(bench.parallels.countCalls("listVms"), 0);
    await settle();
  });

  it("verifies a burst of events by one list soon after", async () => {
    const vm = bench.parallels.addVm({ name: "a" });
    bench.parallels.emit((listener) => listener.onVmChanged(vm));
    for (const state of ["starting", "running", "starting"]) {
      bench.parallels.emit((listener) => listener.onStateChanged(vm.id, state));
    }
    await bench.clock.advance(3_000);
    assert.equal(bench.watch.find(vm.id)?.state, "stopped");
    assert.equal(bench.parallels.countCalls("listVms"), 1);
  });

  it("lists at once when an event names a VM that it does not know", async () => {
    const vm = bench.parallels.addVm({ name: "a", state: "running" });
    bench.parallels.emit((listener) => listener.onStateChanged(vm.id, "running"));
    await settle();
    assert.equal(bench.watch.find(vm.id)?.name, "a");
  });

  it("lists at once when the event socket is back", async () => {
    bench.parallels.areEventsOn = false;
    bench.parallels.setConnected(false);
    const vm = bench.parallels.addVm({ name: "a" });
    bench.parallels.setConnected(true);
    await settle();
    assert.equal(bench.watch.find(vm.id)?.name, "a");
  });

  it("finds within a minute what no event told", async () => {
    bench.parallels.areEventsOn = false;
    const vm = bench.parallels.addVm({ name: "a" });
    await bench.clock.advance(60_000);
    assert.equal(bench.watch.find(vm.id)?.name, "a");
  });

  it("tries a failed list again, and keeps what it knew meanwhile", async () => {
    const vm = bench.parallels.addVm({ name: "a" });
    bench.watch.refresh();
    await settle();
    bench.parallels.interfere = failing("unreachable", (call) => call.method === "listVms", 2);
    bench.parallels.vms.delete(vm.id);
    bench.watch.refresh();
    await settle();
    assert.notEqual(bench.watch.find(vm.id), undefined);
    await bench.clock.advance(10_000);
    assert.equal(bench.watch.find(vm.id), undefined);
  });

  it("gives whoever asks while a list runs one that was begun after the question, and all of them the same", async () => {
    let release: () => void = () => undefined;
    bench.parallels.interfere = (call) =>
      call.method === "listVms" && bench.parallels.countCalls("listVms") === 1
        ? new Promise((resolve) => {
            release = resolve;
          })
        : undefined;
    const { signal } = new AbortController();
    const running = bench.watch.listFresh(signal);
    const asked = [bench.watch.listFresh(signal), bench.watch.listFresh(signal), bench.watch.listFresh(signal)];
    release();
    await running;
    bench.parallels.addVm({ name: "late" });
    const lists = await Promise.all(asked);
    assert.equal(bench.parallels.countCalls("listVms"), 2);
    assert.deepEqual(
      lists.map((list) => list.map((vm) => vm.name)),
      [["late"], ["late"], ["late"]],
    );
  });

  it("leaves no timer behind when it is closed", async () => {
    await bench.close();
    assert.equal(bench.clock.timerCount, 0);
  });
});
