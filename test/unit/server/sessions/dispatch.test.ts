import assert from "node:assert/strict";
import { asCatalogId, asHostId, asTemplateId, asUid, asVmId, hostVmName } from "../../../../shared/ids.ts";
import {
  type AgentClient,
  hostVmOf,
  inventoryOf,
  STATE_ACCEPTED,
  STATE_FAILED,
  STATE_RUNNING,
  STATE_SUCCEEDED,
  settle,
  until,
  updateOf,
} from "./agent-client.ts";
import { Link } from "./link-fixture.ts";

const withGolden = inventoryOf({ whole: true, vms: [hostVmOf({ id: "golden-id", name: "golden-image" })] });

describe("sessions: commands", () => {
  let link: Link;
  let agent: AgentClient;
  beforeEach(async () => {
    link = await Link.start();
    await link.createTemplate("golden", { kind: "host-vm", vmName: "golden-image" });
    agent = link.agent();
    await agent.open({ inventory: withGolden });
  });
  afterEach(() => link.close());

  it("sends a command once it is durable, with the session's epoch", async () => {
    const vm = await link.createVm("build", "golden");
    const command = await agent.nextCommand();
    assert.deepEqual(command, {
      id: `${vm.uid}-1`,
      epoch: 2,
      vmUid: vm.uid,
      generation: 1,
      leaseMs: 0,
      silenceLimitMs: 600_000,
      hostVmName: hostVmName(vm.uid, 1),
      hostVmId: "",
      action: {
        $case: "create",
        create: {
          source: { $case: "hostVm", hostVm: "golden-image" },
          resources: { cpuCount: 2, memoryMib: 2048, diskMib: 20_000 },
          architecture: "arm64",
          macos: false,
        },
      },
    });
  });

  it("sends nothing that is not durable", async () => {
    link.holdDisk();
    const created = link.createVm("build", "golden");
    await settle();
    assert.equal(agent.all("command").length, 0);
    link.releaseDisk();
    await created;
    await agent.nextCommand();
  });

  it("sends the next command when the one before has ended, and each only once", async () => {
    await link.createVm("build", "golden");
    const create = await agent.nextCommand();
    agent.update(create.id, STATE_ACCEPTED);
    agent.update(create.id, STATE_SUCCEEDED, { vm: hostVmOf({ id: "made-id", name: create.hostVmName }) });
    const start = await agent.nextCommand(1);
    assert.equal(start.hostVmId, "made-id");
    assert.equal(start.silenceLimitMs, 180_000);
    assert.deepEqual(start.action, {
      $case: "start",
      start: { readiness: { probe: { $case: "tcpPort", tcpPort: 22 }, periodMs: 1000, timeoutMs: 60_000 } },
    });
    agent.update(start.id, STATE_SUCCEEDED, {
      vm: hostVmOf({ id: "made-id", name: create.hostVmName, state: "running", ipAddresses: ["10.0.0.7"] }),
    });
    const vm = await link.untilVm("build", "RUNNING");
    assert.deepEqual(vm.sight?.ipAddresses, ["10.0.0.7"]);
    await settle();
    assert.equal(agent.all("command").length, 2);
    assert.equal(agent.all("cancelCommand").length, 0);
  });

  it("sends what has not ended again in the next session, under its epoch", async () => {
    await link.createVm("build", "golden");
    const first = await agent.nextCommand();
    agent.update(first.id, STATE_ACCEPTED);
    await link.untilVm("build", "CREATING");
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const again = link.agent();
    await again.open();
    assert.deepEqual(await again.nextCommand(), { ...first, epoch: first.epoch + 1 });
    await settle();
    assert.equal(again.all("command").length, 1);
  });

  it("sends a command that was decided while the host was away", async () => {
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const later = link.agent();
    link.holdDisk();
    later.hello({ inventory: withGolden });
    const created = link.createVm("build", "golden", {
      placement: { required: [], preferred: [], strategy: "pack", host: asHostId("mac-1") },
    });
    await settle();
    link.releaseDisk();
    await created;
    await later.nextCommand();
    await settle();
    assert.equal(later.all("command").length, 1);
  });

  it("does not send a command again whose end the agent tells in its Hello", async () => {
    await link.createVm("build", "golden");
    const create = await agent.nextCommand();
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const again = link.agent();
    const made = hostVmOf({ id: "made-id", name: create.hostVmName });
    await again.open({
      inventory: inventoryOf({ whole: true, vms: [made] }),
      commands: [updateOf(create.id, STATE_SUCCEEDED, { vm: made })],
    });
    assert.equal((await again.nextCommand()).action?.$case, "start");
    assert.equal((await link.vm("build")).state, "STARTING");
  });

  it("calls off a command that its VM no longer has", async () => {
    await link.createVm("build", "golden");
    const create = await agent.nextCommand();
    agent.update(create.id, STATE_ACCEPTED);
    await link.untilVm("build", "CREATING");
    await link.deleteVm("build");
    const { cancelCommand } = await agent.next("cancelCommand");
    assert.deepEqual(cancelCommand, { commandId: create.id, reason: "Withdrawn" });
    const removal = await agent.nextCommand(1);
    assert.deepEqual(removal.action, { $case: "delete", delete: { force: true } });
    assert.equal(removal.hostVmName, create.hostVmName);
    agent.update(removal.id, STATE_SUCCEEDED);
    await link.untilVm("build", "DELETED");
  });

  it("gives an agent the catalog's address and credentials", async () => {
    await link.createCatalog("central");
    await link.createTemplate("pulled", {
      kind: "catalog",
      catalog: asCatalogId("central"),
      catalogId: "ubuntu",
      version: "24.04",
    });
    await link.createVm("build", "pulled");
    const { action } = await agent.nextCommand();
    assert.ok(action?.$case === "create");
    assert.deepEqual(action.create.source, {
      $case: "catalog",
      catalog: {
        catalogId: "ubuntu",
        version: "24.04",
        url: "https://catalog.example",
        username: "ada",
        password: "secret",
        apiKey: "",
      },
    });
  });

  it("fails a create whose catalog is gone when it would be sent again", async () => {
    const catalog = asCatalogId("central");
    await link.createCatalog("central");
    await link.createTemplate("pulled", { kind: "catalog", catalog, catalogId: "ubuntu", version: "24.04" });
    await link.createVm("build", "pulled");
    await agent.nextCommand();
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    await link.engine.submit({ type: "template-delete", id: asTemplateId("pulled") });
    await link.engine.submit({ type: "catalog-delete", id: catalog });
    const again = link.agent();
    await again.open();
    const vm = await link.untilVm("build", "FAILED");
    assert.equal(vm.failure?.reason, "SourceGone");
    assert.ok(again.all("command").every(({ command }) => command.action?.$case !== "create"));
  });

  it("keeps the host of a VM that can not be made again, and of which an earlier try has left something", async () => {
    const catalog = asCatalogId("central");
    await link.createCatalog("central");
    await link.createTemplate("pulled", { kind: "catalog", catalog, catalogId: "ubuntu", version: "24.04" });
    await link.createVm("build", "pulled");
    const create = await agent.nextCommand();
    agent.update(create.id, STATE_RUNNING);
    await link.untilVm("build", "CREATING");
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    await link.engine.submit({ type: "template-delete", id: asTemplateId("pulled") });
    await link.engine.submit({ type: "catalog-delete", id: catalog });
    await link.agent().open();
    const vm = await link.untilVm("build", "FAILED");
    assert.equal(vm.failure?.reason, "SourceGone");
    assert.equal(vm.host, "mac-1");
  });

  it("has a copy made of the VM that it is a copy of", async () => {
    await link.createVm("original", "golden", { wanted: "stopped" });
    const create = await agent.nextCommand();
    agent.update(create.id, STATE_SUCCEEDED, { vm: hostVmOf({ id: "original-id", name: create.hostVmName }) });
    await link.untilVm("original", "STOPPED");
    await link.createVm("copy", "golden", { sourceVm: asVmId("original") });
    const { action } = await agent.nextCommand(1);
    assert.ok(action?.$case === "create");
    assert.deepEqual(action.create.source, { $case: "hostVm", hostVm: "original-id" });
  });

  it("tells agents when the operator changes how many VMs may be made at once", async () => {
    const host = await link.host();
    assert.ok(host !== undefined);
    await link.engine.submit({
      type: "host-update",
      id: host.id,
      baseGeneration: host.generation,
      spec: { ...host.spec, limits: { ...host.spec.limits, parallelCreates: 1 } },
    });
    assert.equal((await agent.next("settings")).settings.parallelCreates, 1);
  });

  it("has what nobody owns removed, again in the next session, and not once it is gone", async () => {
    await link.createVm("build", "golden");
    const { hostVmName: name } = await agent.nextCommand();
    const left = hostVmOf({ id: "left-id", name: name.replace(/...$/, "000") });
    agent.inventory({ sequence: 2, vms: [left] });
    const removal = await agent.nextCommand(1);
    assert.deepEqual(removal, {
      id: removal.id,
      epoch: 2,
      vmUid: "",
      generation: 0,
      silenceLimitMs: 300_000,
      hostVmName: "",
      hostVmId: "left-id",
      leaseMs: 0,
      action: { $case: "delete", delete: { force: true } },
    });
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const again = link.agent();
    await again.open({
      inventory: inventoryOf({
        sequence: 1,
        whole: true,
        vms: [hostVmOf({ id: "golden-id", name: "golden-image" }), left],
      }),
    });
    await until(() => again.all("command").some(({ command }) => command.id === removal.id), "the removal");
    again.inventory({ sequence: 2, removedIds: ["left-id"] });
    assert.equal((await again.next("cancelCommand")).cancelCommand.commandId, removal.id);
    assert.deepEqual((await link.host())?.orphans, []);
  });

  it("has an image pulled ahead and removed, and calls off what is not wanted any more", async () => {
    await link.createCatalog("main");
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "UBUNTU", version: "v1" } as const;
    await link.createTemplate("ubuntu", source);
    const id = asTemplateId("ubuntu");
    const uid = asUid("ab".repeat(16));
    await link.engine.submit({ type: "template-prefetch", id, uid, hosts: [] });
    const prefetch = await agent.nextCommand();
    assert.equal(prefetch.hostVmName, hostVmName(uid, 1));
    const image = { catalogId: "UBUNTU", version: "v1", url: "https://catalog.example" };
    const credentials = { username: "ada", password: "secret", apiKey: "" };
    assert.deepEqual(prefetch.action, {
      $case: "prefetchImage",
      prefetchImage: { image: { ...image, ...credentials }, architecture: "arm64" },
    });
    agent.inventory({
      sequence: 2,
      images: [{ catalogId: "UBUNTU", version: "v1", architecture: "arm64", sizeMib: 1 }],
      imagesChanged: true,
    });
    await until(async () => (await link.host())?.images.length === 1, "the image");
    const judge = { type: "template-judge", id, reason: "x", by: "y" } as const;
    await link.engine.submit({ ...judge, state: "REVOKED", purgesImages: true });
    assert.equal((await agent.next("cancelCommand")).cancelCommand.commandId, prefetch.id);
    const purge = await agent.nextCommand(1);
    assert.deepEqual([purge.vmUid, purge.hostVmName, purge.hostVmId], ["", "", ""]);
    assert.deepEqual(purge.action, { $case: "purgeImage", purgeImage: { catalogId: "UBUNTU", version: "v1" } });
    await link.engine.submit({ ...judge, state: "ACTIVE" });
    assert.equal((await agent.next("cancelCommand", 1)).cancelCommand.commandId, purge.id);
  });

  it("calls off what an agent is at and nobody waits for any more", async () => {
    const again = link.agent();
    await again.open({ agentRunId: "run-2", commands: [updateOf("an-old-create", STATE_RUNNING)] });
    assert.equal((await again.next("cancelCommand")).cancelCommand.commandId, "an-old-create");
  });

  it("lets go of a host that is deleted", async () => {
    await link.engine.submit({ type: "host-delete", id: asHostId("mac-1"), force: true });
    const { goodbye } = await agent.next("goodbye");
    assert.equal(goodbye.reason, "HostDeleted");
    assert.equal(goodbye.retryAfterMs, -1);
    await agent.ended();
  });

  it("tells the pool why a host could not do it", async () => {
    await link.createVm("build", "golden");
    const create = await agent.nextCommand();
    agent.update(create.id, STATE_FAILED, {
      failure: { reason: "DiskFull", message: "no room", suspect: 1, retryable: false },
    });
    const vm = await link.untilVm("build", "FAILED");
    assert.equal(vm.failure?.reason, "DiskFull");
    assert.equal(vm.failure?.suspect, "host");
  });
});
