import assert from "node:assert/strict";
import { type Agent, startAgent } from "../../../agent/agent.ts";
import { createHttpParallelsApi } from "../../../agent/parallels/http-api.ts";
import { imageKey } from "../../../server/pool/shape.ts";
import { asCatalogId, asHostId, asTemplateId, type HostId, randomIds } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { type RunningMac, startSimulatedMac } from "../../../simulator/simulated-mac.ts";
import { until } from "../../unit/server/sessions/agent-client.ts";
import { Link } from "../../unit/server/sessions/link-fixture.ts";

const names = ["mac-1", "mac-2"] as const;
const manifests = (["v1", "v2"] as const).map((version) => ({
  catalogId: "UBUNTU",
  version,
  architecture: "arm64" as const,
  os: "ubuntu",
  sizeMib: 1000,
  diskMib: 10_000,
}));

/** Real agents on the local API over HTTP of simulated Macs, against the server's engine and sessions. */
describe("the images of a revoked template, on Macs", () => {
  let link: Link;
  let macs: readonly RunningMac[];
  let agents: Agent[];

  beforeEach(async () => {
    link = await Link.start();
    macs = await Promise.all(names.map(() => startSimulatedMac({ instant: true, catalog: manifests })));
    agents = names.map((_name, index) => startAgentOn(index));
    await untilConnected(...names);
    await link.createCatalog("main");
    for (const { version } of manifests) {
      await link.createTemplate(version, {
        kind: "catalog",
        catalog: asCatalogId("main"),
        catalogId: "ubuntu",
        version,
      });
      for (const name of names) await pull(version, name);
    }
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    await link.close();
    await Promise.all(macs.map((mac) => mac.close()));
  });

  function startAgentOn(index: number): Agent {
    const mac = macs[index] ?? assert.fail();
    return startAgent({
      servers: [link.agentAddress],
      hostId: names[index] ?? assert.fail(),
      parallels: createHttpParallelsApi({ baseUrl: mac.url, credentials: { apiKey: mac.apiKey } }),
      log: silentLogger,
      agentVersion: "0.1.0",
      random: () => 0.5,
      bootId: "boot-1",
    });
  }

  async function untilConnected(...ids: readonly string[]): Promise<void> {
    for (const id of ids) await until(async () => (await link.contact(id))?.isConnected === true, `the agent of ${id}`);
  }

  /** Has the Mac make a VM of the template, which leaves its image in the Mac's cache, and remove it. */
  async function pull(version: string, host: string): Promise<void> {
    const id = `${version}-${host}`;
    await link.createVm(id, version, {
      wanted: "stopped",
      placement: { required: [], preferred: [], strategy: "pack", host: asHostId(host) },
    });
    await link.untilVm(id, "STOPPED");
    await link.deleteVm(id);
    await link.untilVm(id, "DELETED");
    await until(async () => (await shown(asHostId(host))).includes(imageKey("UBUNTU", version)), `${id} to be shown`);
  }

  const shown = async (id: HostId): Promise<readonly string[]> =>
    ((await link.host(id))?.images ?? []).map(({ catalogId, version }) => imageKey(catalogId, version));
  const cached = async (index: number): Promise<readonly string[]> =>
    ((await macs[index]?.mac.cachedImages()) ?? []).map(({ manifest }) => manifest.version);
  const judge = (state: "REVOKED" | "ACTIVE") =>
    link.engine.submit({
      type: "template-judge",
      id: asTemplateId("v1"),
      state,
      reason: "leaked",
      by: "root",
      ...(state === "REVOKED" ? { purgesImages: true as const } : {}),
    });
  const isPurged = async (id: string): Promise<boolean> =>
    (await link.host(id))?.imagePurges?.every(({ isDone }) => isDone === true) === true;

  it("leave the caches at once, and that of a Mac that was away when it returns to a server that has restarted", async () => {
    await agents[1]?.close();
    await until(async () => (await link.contact("mac-2"))?.isConnected === false, "mac-2 to be away");
    await judge("REVOKED");
    await until(() => isPurged("mac-1"), "mac-1 to be purged");
    assert.deepEqual([await cached(0), await cached(1)], [["v2"], ["v1", "v2"]]);
    assert.equal(await isPurged("mac-2"), false);
    link.kill();
    const { disk, port } = link;
    link = await Link.start(disk, port);
    await untilConnected("mac-1");
    assert.deepEqual([await isPurged("mac-1"), await isPurged("mac-2")], [true, false]);
    agents[1] = startAgentOn(1);
    await until(() => isPurged("mac-2"), "mac-2 to be purged");
    assert.deepEqual([await cached(0), await cached(1)], [["v2"], ["v2"]]);
  });

  it("can be pulled ahead, and leave no VM behind", async () => {
    await judge("REVOKED");
    for (const name of names) await until(() => isPurged(name), `${name} to be purged`);
    await judge("ACTIVE");
    const prefetch = { type: "template-prefetch", id: asTemplateId("v1"), uid: randomIds.uid(), hosts: [] } as const;
    await link.engine.submit(prefetch);
    const isOver = async (id: string): Promise<boolean> => (await link.host(id))?.prefetches === undefined;
    for (const [index, name] of names.entries()) {
      await until(() => isOver(name), `${name} to have pulled it`);
      assert.deepEqual([...(await cached(index))].sort(), ["v1", "v2"]);
      assert.deepEqual(macs[index]?.mac.vms, []);
      await until(async () => (await shown(asHostId(name))).length === 2, "it to be shown");
    }
    await link.engine.submit({ ...prefetch, uid: randomIds.uid() });
    assert.equal(await isOver("mac-1"), true, "who has it is left out");
  });

  it("that cannot be pulled ahead say why", async () => {
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "ABSENT", version: "v1" } as const;
    await link.createTemplate("absent", source);
    const hosts = [asHostId("mac-1")];
    const prefetch = { type: "template-prefetch", id: asTemplateId("absent"), uid: randomIds.uid(), hosts } as const;
    await link.engine.submit(prefetch);
    const failure = async () => (await link.host("mac-1"))?.prefetches?.[0]?.failure;
    await until(async () => (await failure()) !== undefined, "the failure");
    assert.equal((await failure())?.reason, "CatalogFailed");
    assert.doesNotMatch(JSON.stringify(await link.host("mac-1")), /secret/);
  });

  it("stay on a Mac that was away when the template is restored before it returns", async () => {
    await agents[1]?.close();
    await until(async () => (await link.contact("mac-2"))?.isConnected === false, "mac-2 to be away");
    await judge("REVOKED");
    await until(() => isPurged("mac-1"), "mac-1 to be purged");
    await judge("ACTIVE");
    agents[1] = startAgentOn(1);
    await untilConnected("mac-2");
    // Something that comes after whatever the host was told when it returned.
    await pull("v2", "mac-2");
    assert.deepEqual(await cached(1), ["v1", "v2"]);
    assert.equal((await link.host("mac-2"))?.imagePurges, undefined);
  });
});
