import assert from "node:assert/strict";
import { scores } from "../../../../server/placement/scores.ts";
import { asHostId } from "../../../../shared/ids.ts";
import { hostFacts, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept } from "../../../support/pool/scripted-host.ts";
import { catalogCreate, catalogTemplateCreate, sized, type VmSpecFields } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

describe("scores", () => {
  it("break ties by the lowest id, in whatever order the hosts came", async () => {
    for (const name of ["mac-3", "mac-1", "mac-2"]) await pool.addHost(name);
    assert.deepEqual(
      pool.plan().verdicts.map(({ host }) => host),
      ["mac-1", "mac-2", "mac-3"],
    );
    assert.equal((await pool.create("a")).host, "mac-1");
  });

  it("pack by default, and spread when asked to", async () => {
    for (const name of ["mac-1", "mac-2"]) await pool.addHost(name);
    await pool.create("first", { placement: { host: asHostId("mac-2") } });
    assert.equal(pool.plan().host, "mac-2");
    assert.equal(pool.plan({ placement: { strategy: "spread" } }).host, "mac-1");
  });

  it("prefer a host that has the image already to all but what is required", async () => {
    await pool.submit(catalogCreate("store"));
    const { id } = await pool.submit(catalogTemplateCreate("xcode", "store"));
    const image = { catalogId: "xcode", version: "v1", architecture: "arm64", sizeMib: 1 };
    await pool.addHost("mac-1", { agentLabels: { fast: "yes" } });
    await pool.addHost("mac-2", { inventory: wholeInventory([], { images: [image] }) });
    await pool.addHost("mac-3", { inventory: wholeInventory([], { images: [{ ...image, version: "v0" }] }) });
    const preferred = [{ key: "fast", operator: "exists", values: [] }] as const;
    assert.equal(pool.plan({ template: id, placement: { preferred } }).host, "mac-2");
    assert.equal(pool.plan({ template: id, placement: { required: preferred } }).host, "mac-1");
  });

  it("share a pull that is under way, rather than begin another", async () => {
    await pool.submit(catalogCreate("store"));
    const { id } = await pool.submit(catalogTemplateCreate("xcode", "store"));
    const hosts = [];
    for (const name of ["mac-1", "mac-2", "mac-3"]) hosts.push(await pool.addHost(name));
    for (const host of hosts) host.always("create", accept);
    await pool.create("a", { template: id, placement: { host: asHostId("mac-2") } });
    assert.equal(pool.plan({ template: id, placement: { strategy: "spread" } }).host, "mac-2");
    const other = await pool.submit(catalogTemplateCreate("ubuntu", "store"));
    assert.equal(pool.plan({ template: other.id, placement: { strategy: "spread" } }).host, "mac-1", "another image");
    await hosts[1]?.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail());
    await pool.settle();
    assert.equal(pool.plan({ template: id, placement: { strategy: "spread" } }).host, "mac-1", "no pull any more");
  });

  it("keep big hosts free for big VMs", async () => {
    await pool.addHost("big", {
      facts: hostFacts({ total: { cpuCount: 32, memoryMib: 524_288, diskMib: 1_000_000 } }),
    });
    await pool.addHost("small", {
      facts: hostFacts({ total: { cpuCount: 8, memoryMib: 65_536, diskMib: 1_000_000 } }),
    });
    assert.equal((await pool.create("holder", { ...sized(8), placement: { host: asHostId("big") } })).host, "big");
    assert.equal(pool.plan(sized(4)).host, "small", "the big one is fuller, and still kept");
    assert.equal(pool.plan(sized(16)).host, "big");
    await pool.set({ placement: { weights: { hostSize: 0 } } });
    assert.equal(pool.plan({ ...sized(1), placement: { strategy: "spread" } }).host, "small");
    assert.equal(pool.plan({ ...sized(2) }).host, "big", "the fuller one");
  });

  it("prefer hosts by the share of the wishes that they meet", async () => {
    await pool.addHost("mac-1", { agentLabels: { a: "1" } });
    await pool.addHost("mac-2", { agentLabels: { a: "1", b: "1" } });
    const preferred = ["a", "b"].map((key) => ({ key, operator: "exists", values: [] }) as const);
    const { host, verdicts } = pool.plan({ placement: { preferred } });
    assert.equal(host, "mac-2");
    const term = verdicts.map(
      (verdict) => verdict.fits && verdict.terms.find(({ name }) => name === "preferred_labels")?.value,
    );
    assert.deepEqual(term, [1, 0.5]);
  });

  it("keep VMs apart whose labels have the same value under the spread key", async () => {
    for (const name of ["mac-1", "mac-2"]) await pool.addHost(name);
    const job = (value: string): VmSpecFields => ({ labels: { job: value }, placement: { spreadKey: "job" } });
    assert.equal((await pool.create("a", job("x"))).host, "mac-1");
    assert.equal((await pool.create("b", job("x"))).host, "mac-2");
    assert.equal((await pool.create("c", job("y"))).host, "mac-1");
  });

  it("leave a host that has just failed the VM for the last", async () => {
    const first = await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    first.always("create", { kind: "refuse" });
    await pool.create("a");
    await pool.advance(1500);
    assert.equal(pool.vm("a").host, "mac-2");
    assert.equal(pool.vm("a").failure, undefined);
  });

  it("are told term by term, and add up", async () => {
    await pool.addHost("mac-1");
    const [verdict] = pool.plan().verdicts;
    assert.ok(verdict?.fits === true);
    assert.deepEqual(
      verdict.terms.map(({ name }) => name),
      scores.map(({ name }) => name),
    );
    for (const { value } of verdict.terms) assert.ok(value >= 0 && value <= 1);
    assert.equal(
      verdict.score,
      verdict.terms.reduce((sum, { value, weight }) => sum + value * weight, 0),
    );
  });
});
