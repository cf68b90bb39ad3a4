import assert from "node:assert/strict";
import { asHostId } from "../../../../shared/ids.ts";
import { wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { catalogCreate, catalogTemplateCreate, type VmSpecFields } from "../../../support/pool/specs.ts";

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
      ["not_failed_here", "template_present", "preferred_labels", "spread_key", "strategy"],
    );
    for (const { value } of verdict.terms) assert.ok(value >= 0 && value <= 1);
    assert.equal(
      verdict.score,
      verdict.terms.reduce((sum, { value, weight }) => sum + value * weight, 0),
    );
  });
});
