import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { MeridianError } from "../../../../shared/errors.ts";
import { HostService } from "../../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { WatchEventType as Type } from "../../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmService, type WatchVmsResponse } from "../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { vmCreate } from "../../../support/pool/specs.ts";
import { fronts, refusalOf, refused, ServedApi, take } from "../../../support/server/served-api.ts";

const typeNames: Readonly<Record<Type, string>> = {
  [Type.UNSPECIFIED]: "UNSPECIFIED",
  [Type.ADDED]: "ADDED",
  [Type.UPDATED]: "UPDATED",
  [Type.DELETED]: "DELETED",
  [Type.BOOKMARK]: "BOOKMARK",
};

describe("watches", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const told = (events: readonly WatchVmsResponse[]): string[] =>
    events.map(({ type, vm }) => `${typeNames[type]}${vm === undefined ? "" : ` ${vm.name}`}`);

  for (const front of fronts) {
    it(`tell the present state, then every change, by ${front}`, async () => {
      await api.driver.submit(vmCreate("b"));
      await api.driver.submit(vmCreate("a"));
      const stream = api.client(VmService, front).watchVms({})[Symbol.asyncIterator]();
      const next = async (): Promise<WatchVmsResponse> => {
        const result = await stream.next();
        assert(result.done !== true);
        return result.value;
      };
      const present = [await next(), await next(), await next()];
      assert.deepEqual(told(present), ["ADDED vms/a", "ADDED vms/b", "BOOKMARK"]);
      assert.equal(present[2]?.revision, BigInt(api.driver.view().revision));
      await api.driver.submit(vmCreate("c"));
      await api.client(VmService).updateVm({ vm: { name: "vms/a", spec: { priority: 1 } } });
      const changes = [await next(), await next()];
      assert.deepEqual(told(changes), ["ADDED vms/c", "UPDATED vms/a"]);
      assert.equal(changes[1]?.vm?.spec?.priority, 1);
      assert((changes[0]?.revision ?? 0n) < (changes[1]?.revision ?? 0n));
      await stream.return?.();
    });
  }

  it("go on after the revision of a list, without a gap", async () => {
    await api.driver.submit(vmCreate("a"));
    const { revision } = await api.client(VmService).listVms({});
    await api.driver.submit(vmCreate("b"));
    const events = await take(api.client(VmService).watchVms({ fromRevision: revision }), 1);
    assert.deepEqual(told(events), ["ADDED vms/b"]);
  });

  it("with a filter tell of what begins and ceases to match", async () => {
    await api.driver.submit(vmCreate("a", { priority: 1 }));
    const stream = api.client(VmService).watchVms({ filter: "spec.priority >= 50" });
    const reading = take(stream, 4);
    await bookmarked();
    await api.client(VmService).updateVm({ vm: { name: "vms/a", spec: { priority: 60 } } });
    await api.client(VmService).updateVm({ vm: { name: "vms/a", spec: { priority: 70 } } });
    await api.client(VmService).updateVm({ vm: { name: "vms/a", spec: { priority: 2 } } });
    await api.client(VmService).updateVm({ vm: { name: "vms/a", spec: { priority: 3 } } });
    assert.deepEqual(told(await reading), ["BOOKMARK", "ADDED vms/a", "UPDATED vms/a", "DELETED vms/a"]);
  });

  it("with a filter and a revision go by what a VM was before", async () => {
    await api.driver.submit(vmCreate("a", { priority: 60 }));
    const { revision } = await api.client(VmService).listVms({});
    const request = { filter: "spec.priority >= 50", fromRevision: revision };
    await api.client(VmService).updateVm({ vm: { name: "vms/a", spec: { priority: 2 } } });
    assert.deepEqual(told(await take(api.client(VmService).watchVms(request), 1)), ["DELETED vms/a"]);
  });

  it("send a bookmark when nothing happens for a while", async () => {
    const reading = take(api.client(VmService).watchVms({}), 2);
    await bookmarked();
    await api.driver.advance(10_000);
    assert.deepEqual(told(await reading), ["BOOKMARK", "BOOKMARK"]);
  });

  it("of hosts tell when what is allocated there changes", async () => {
    await api.driver.addHost("mac-1");
    const { revision } = await api.client(HostService).listHosts({});
    const reading = take(api.client(HostService).watchHosts({ fromRevision: revision }), 1);
    await api.driver.submit(vmCreate("a"));
    const [event] = await reading;
    assert.equal(event?.type, Type.UPDATED);
    assert.equal(event.host?.status?.vmCount, 1);
    assert.equal(event.host.status.allocated?.cpuCount, 2);
  });

  it("refuse filters and revisions that cannot be", async () => {
    const watch = (request: { filter?: string; fromRevision?: bigint }): Promise<unknown> =>
      take(api.client(VmService).watchVms(request), 1);
    await refused(watch({ filter: "x =" }), "EXPRESSION_INVALID");
    await refused(watch({ fromRevision: -1n }), "FIELD_INVALID");
    await refused(watch({ fromRevision: 9_000_000_000_000_000_000n }), "FIELD_INVALID");
    await refused(watch({ fromRevision: 1_000_000n }), "REVISION_TOO_OLD");
  });

  it("hand on that a reader is too slow", async () => {
    api.driver.engine.follow = async function* (revision) {
      yield { revision: revision + 1, changes: [] };
      throw new MeridianError("WATCHER_TOO_SLOW", "changes came faster than they were read");
    };
    const refusal = await refused(take(api.client(VmService).watchVms({}), 2), "WATCHER_TOO_SLOW");
    assert.equal(refusal.code, Code.ResourceExhausted);
  });

  it("end with SERVER_NOT_SERVING when the server closes", async () => {
    const stream = api.client(VmService).watchVms({})[Symbol.asyncIterator]();
    await stream.next();
    const reading = stream.next().then(
      () => assert.fail("the watch went on"),
      (error: unknown) => refusalOf(error),
    );
    await api.calls.close();
    assert.equal((await reading).reason, "SERVER_NOT_SERVING");
    assert.deepEqual(api.faults, []);
  });

  it("leave nothing behind when their readers go", async () => {
    const leave = new AbortController();
    const stream = api.client(VmService).watchVms({}, { signal: leave.signal })[Symbol.asyncIterator]();
    await stream.next();
    assert.equal(api.calls.count, 1);
    leave.abort();
    await assert.rejects(stream.next());
    while (api.calls.count > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(api.faults, []);
  });

  /** The watch has read the present state, and follows. */
  async function bookmarked(): Promise<void> {
    while (api.calls.count === 0) await api.driver.settle();
    const { timerCount } = api.driver.clock;
    for (let turn = 0; turn < 200 && api.driver.clock.timerCount <= timerCount; turn += 1) await api.driver.settle();
  }
});
