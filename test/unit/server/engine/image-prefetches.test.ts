import assert from "node:assert/strict";
import type { CachedImage, HostRecord } from "../../../../server/pool/host.ts";
import { prefetchRetriesMax } from "../../../../server/pool/image-prefetch.ts";
import { retryBaseMs } from "../../../../server/pool/limits.ts";
import { asCatalogId, asHostId, asTemplateId, type HostId } from "../../../../shared/ids.ts";
import { hostFacts, wholeInventory } from "../../../support/pool/hosts.ts";
import { checkPool } from "../../../support/pool/pool-check.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failForGood, failRetryably, hold, type ScriptedHost, succeed } from "../../../support/pool/scripted-host.ts";
import { catalogCreate, defaultTemplate, templateCreate, uidFor } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const image: CachedImage = { catalogId: "MACOS", version: "v1", architecture: "arm64", sizeMib: 20_000 };

describe("images that hosts are to pull before a VM of them is wanted", () => {
  let pool: PoolDriver;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    await pool.submit(catalogCreate("main"));
    for (const version of ["v1", "v2", "latest"]) {
      const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "MACOS", version } as const;
      await pool.submit(templateCreate(version, { source }));
    }
  });
  afterEach(() => {
    checkPool(pool.view());
    return pool.close();
  });

  const record = (id: HostId): HostRecord => pool.view().hosts.get(id) ?? assert.fail();
  const prefetches = ({ id }: ScriptedHost) => record(id).prefetches ?? [];
  const event = (template: string, hosts: readonly ScriptedHost[] = [], name = "pass") =>
    ({
      type: "template-prefetch",
      id: asTemplateId(template),
      uid: uidFor(name),
      hosts: hosts.map(({ id }) => id),
    }) as const;
  const ask = (template: string, ...hosts: ScriptedHost[]) => pool.submit(event(template, hosts));
  const addHosts = async (count: number): Promise<ScriptedHost[]> => {
    const hosts: ScriptedHost[] = [];
    for (let index = 0; index < count; index += 1) hosts.push(await pool.addHost(`mac-${index}`));
    return hosts;
  };
  const end = async (host: ScriptedHost): Promise<void> => {
    const id = prefetches(host).find(({ commandId }) => commandId !== undefined)?.commandId ?? assert.fail();
    await host.report({ id }, "SUCCEEDED");
    await pool.settle();
  };

  it("are pulled by all that could be made VMs of them on and have not got them", async () => {
    const [plain] = await addHosts(1);
    const has = await pool.addHost("has", { inventory: wholeInventory(undefined, { images: [image] }) });
    const other = await pool.addHost("intel", { facts: hostFacts({ architecture: "x86_64", hardwareId: "i" }) });
    const cordoned = await pool.addHost("cordoned");
    await pool.changeHost("cordoned", { schedulable: false });
    await ask("v1");
    assert.deepEqual(
      [plain, has, other, cordoned].map((host) => host?.prefetches),
      [["MACOS v1"], [], [], []],
    );
    assert.equal(record(plain?.id ?? assert.fail()).prefetches, undefined, "there is nothing left to do");
    assert.equal(pool.view().prefetchHosts.size, 0);
  });

  it("are pulled by those that were named, and are refused where they make no sense", async () => {
    const [first, second] = await addHosts(2);
    assert.ok(first !== undefined && second !== undefined);
    await ask("v1", second, second);
    assert.deepEqual([first.prefetches, second.prefetches], [[], ["MACOS v1"]]);
    const other = await pool.addHost("intel", { facts: hostFacts({ architecture: "x86_64", hardwareId: "i" }) });
    await pool.refuses(event("v2", [first, other]), "FIELD_INVALID");
    await pool.refuses({ ...event("v2"), hosts: [first.id, asHostId("absent")] }, "RESOURCE_NOT_FOUND");
    await pool.refuses(event("absent"), "RESOURCE_NOT_FOUND");
    await pool.refuses({ ...event("v2"), etag: '"stale"' }, "ETAG_MISMATCH");
    await pool.refuses(event(defaultTemplate), "FIELD_INVALID");
    const judge = { type: "template-judge", state: "REVOKED", reason: "x", by: "y" } as const;
    await pool.submit({ ...judge, id: asTemplateId("v2") });
    await pool.refuses(event("v2"), "TEMPLATE_REVOKED");
    assert.deepEqual(first.prefetches, [], "a refusal leaves all as it was");
  });

  it("are pulled by so many hosts at once as the settings say, and the next when one is done", async () => {
    await pool.set({ hosts: { parallelPrefetches: 2 } });
    const hosts = await addHosts(5);
    for (const host of hosts) host.onPrefetch = hold;
    await ask("v1");
    const begun = () => hosts.filter((host) => host.prefetches.length > 0).length;
    assert.equal(begun(), 2);
    await end(hosts[0] ?? assert.fail());
    assert.equal(begun(), 3);
    await pool.set({ hosts: { parallelPrefetches: 3 } });
    assert.equal(begun(), 4);
    await hosts[1]?.disconnect();
    await pool.settle();
    assert.equal(begun(), 5, "one that is away takes nobody's turn");
  });

  it("are pulled one after the other on one host", async () => {
    const [host] = await addHosts(1);
    assert.ok(host !== undefined);
    host.onPrefetch = hold;
    await ask("v1");
    await ask("v2");
    assert.deepEqual(host.prefetches, ["MACOS v1"]);
    await ask("v1");
    assert.deepEqual(host.prefetches, ["MACOS v1"], "to ask again for what is under way changes nothing");
    await end(host);
    assert.deepEqual(host.prefetches, ["MACOS v1", "MACOS v2"]);
  });

  it("wait for a host that is away, and go on by the same command over a restart", async () => {
    const [host] = await addHosts(1);
    assert.ok(host !== undefined);
    await host.disconnect();
    await ask("v1", host);
    assert.equal(prefetches(host)[0]?.commandId, undefined);
    host.onPrefetch = hold;
    await pool.connect(host);
    const before = prefetches(host);
    assert.ok(before[0]?.commandId !== undefined);
    pool = await pool.restart();
    assert.deepEqual(record(host.id).prefetches, before);
    const again = pool.newHost("mac-0");
    await pool.connect(again);
    assert.deepEqual([again.prefetches, prefetches(again)], [["MACOS v1"], []]);
  });

  it("are tried again a few times when that may help, and then when they are asked for again", async () => {
    const [host, other] = await addHosts(2);
    assert.ok(host !== undefined && other !== undefined);
    host.onPrefetch = failRetryably;
    other.onPrefetch = failForGood;
    await ask("v1");
    await pool.advance(retryBaseMs);
    assert.equal(host.prefetches.length, 2, "the first time soon");
    await pool.advance(10 * minuteMs);
    assert.deepEqual([host.prefetches.length, other.prefetches.length], [1 + prefetchRetriesMax, 1]);
    for (const each of [host, other]) {
      assert.deepEqual([prefetches(each)[0]?.failure?.reason, prefetches(each)[0]?.hasGivenUp], ["NoPull", true]);
      each.onPrefetch = succeed;
    }
    await pool.advance(10 * minuteMs);
    assert.equal(other.prefetches.length, 1);
    await ask("v1");
    assert.deepEqual([prefetches(host), prefetches(other)], [[], []]);
  });

  it("are dropped when the template is revoked, removed or made of another image", async () => {
    const [host] = await addHosts(1);
    assert.ok(host !== undefined);
    host.onPrefetch = hold;
    const { generation, spec } = pool.view().templates.get(asTemplateId("v1")) ?? assert.fail();
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "OTHER", version: "v1" } as const;
    const judge = { type: "template-judge", id: asTemplateId("v1"), reason: "x", by: "y" } as const;
    for (const drop of [
      { ...judge, state: "REVOKED" } as const,
      {
        type: "template-update",
        id: asTemplateId("v1"),
        baseGeneration: generation,
        spec: { ...spec, source },
      } as const,
      { type: "template-delete", id: asTemplateId("v1") } as const,
    ]) {
      await ask("v1");
      assert.equal(prefetches(host).length, 1);
      await pool.submit(drop);
      assert.deepEqual(prefetches(host), []);
      if (drop.type === "template-judge") await pool.submit({ ...judge, state: "ACTIVE" });
    }
  });

  it("are forgotten with their host", async () => {
    const [host] = await addHosts(1);
    assert.ok(host !== undefined);
    host.onPrefetch = hold;
    await ask("v1");
    assert.equal(pool.view().pullingHosts.size, 1);
    await pool.submit({ type: "host-delete", id: host.id, force: true });
    assert.deepEqual([pool.view().prefetchHosts.size, pool.view().pullingHosts.size], [0, 0]);
  });

  it("are left alone when they have come by themselves", async () => {
    const [host] = await addHosts(1);
    assert.ok(host !== undefined);
    await host.disconnect();
    await ask("v1", host);
    host.images = [image];
    await pool.connect(host);
    assert.deepEqual([host.prefetches, prefetches(host)], [[], []]);
  });

  it("are of the version that the catalog says is the latest", async () => {
    const [host] = await addHosts(1);
    const manifest = { ...image, architecture: "arm64", requiredRoles: [], requiredClaims: [] } as const;
    const { sizeMib: _size, ...latest } = { ...manifest, version: "v7", isLatest: true as const };
    await pool.submit({
      type: "catalog-read",
      id: asCatalogId("main"),
      uid: uidFor("main"),
      url: "http://catalog.test",
      outcome: { kind: "manifests", manifests: [latest], leftOutCount: 0 },
    });
    await ask("latest");
    assert.deepEqual(host?.prefetches, ["MACOS v7"]);
  });

  it("tell how far they are, without moving the turns of others", async () => {
    const [host] = await addHosts(1);
    assert.ok(host !== undefined);
    host.onPrefetch = hold;
    await ask("v1");
    const [{ commandId } = assert.fail()] = prefetches(host);
    const progress = { step: "download", percent: 40, etaMs: 0, message: "" };
    await host.report({ id: commandId ?? assert.fail() }, "RUNNING", { progress });
    assert.equal(prefetches(host)[0]?.percent, 40);
    assert.equal(pool.view().imageErrands.havePrefetchesMoved, false);
  });
});
