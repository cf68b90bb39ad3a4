import assert from "node:assert/strict";
import type { TemplateJudge } from "../../../../server/pool/events/templates.ts";
import type { CachedImage, HostRecord } from "../../../../server/pool/host.ts";
import type { ImagePurge } from "../../../../server/pool/image-purge.ts";
import { purgesPerBatchMax, removalsPerHostMax, retryBaseMs } from "../../../../server/pool/limits.ts";
import { asCatalogId, asTemplateId } from "../../../../shared/ids.ts";
import { changedInventory, wholeInventory } from "../../../support/pool/hosts.ts";
import { checkPool } from "../../../support/pool/pool-check.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failRetryably, hold, refuse, type ScriptedHost, succeed } from "../../../support/pool/scripted-host.ts";
import { catalogCreate, templateCreate, templateSpec } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;

function image(version: string, catalogId = "MACOS"): CachedImage {
  return { catalogId, version, architecture: "arm64", sizeMib: 20_000 };
}

function judge(
  id: string,
  state: TemplateJudge["state"] = "REVOKED",
  fields: Partial<TemplateJudge> = {},
): TemplateJudge {
  const purges = state === "REVOKED" ? ({ purgesImages: true } as const) : {};
  return { type: "template-judge", id: asTemplateId(id), state, reason: "leaked", by: "root", ...purges, ...fields };
}

describe("the images of a revoked template", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    await pool.submit(catalogCreate("main"));
    await addTemplate("v1", "v1");
    host = await addHost("mac-1", [image("v1"), image("v2")]);
  });
  afterEach(() => {
    checkPool(pool.view());
    return pool.close();
  });

  /** @param catalogId however it is written. */
  async function addTemplate(id: string, version: string, catalogId = "macos"): Promise<void> {
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId, version } as const;
    await pool.submit(templateCreate(id, { source }));
  }

  function addHost(name: string, images: readonly CachedImage[]): Promise<ScriptedHost> {
    return pool.addHost(name, { inventory: wholeInventory(undefined, { images }) });
  }

  const record = ({ id }: ScriptedHost = host): HostRecord => pool.view().hosts.get(id) ?? assert.fail();
  const purges = (of: ScriptedHost = host): readonly ImagePurge[] => record(of).imagePurges ?? [];
  const versions = (of: ScriptedHost = host): readonly string[] => record(of).images.map(({ version }) => version);
  const show = async (images: readonly CachedImage[]): Promise<void> => {
    host.images = images;
    await host.tellInventory({ ...changedInventory([]), images });
    await pool.settle();
  };

  it("are removed where they are, in the commit that revokes it, and nothing else is", async () => {
    const other = await addHost("mac-2", [image("v1", "OTHER")]);
    const { revision } = await pool.submit(judge("v1"));
    const batch = pool.batches.find((each) => each.revision === revision);
    const ordered = batch?.changes.flatMap(({ kind, after }) =>
      kind === "host" && after?.imagePurges?.[0]?.commandId !== undefined ? after.id : [],
    );
    assert.deepEqual(ordered, [host.id]);
    assert.deepEqual([host.purges, other.purges], [["MACOS v1"], []]);
    assert.deepEqual(versions(), ["v2"]);
    assert.deepEqual(
      purges().map(({ version, isDone }) => [version, isDone]),
      [["v1", true]],
    );
    assert.equal(record(other).imagePurges, undefined);
  });

  it("stay when it is only revoked, or its images are those of no catalog", async () => {
    await pool.submit({ type: "template-judge", id: asTemplateId("v1"), state: "REVOKED", reason: "old", by: "root" });
    await pool.advance(minuteMs);
    assert.deepEqual([host.purges, purges()], [[], []]);
    const error = await pool.refuses(judge("linux"), "FIELD_INVALID");
    assert.match(error.message, /golden-linux/);
    await pool.submit(judge("v1", "REVOKED", { reason: "old" }));
    assert.deepEqual(host.purges, ["MACOS v1"], "to say so as well is more");
  });

  it("go from a host that is away when it returns, by the same command, whatever it shows by then", async () => {
    await host.disconnect();
    await pool.submit(judge("v1"));
    const before = purges();
    assert.equal(before.length, 1);
    await pool.advance(minuteMs);
    assert.deepEqual([host.purges, purges()], [[], before]);
    pool = await pool.restart();
    assert.deepEqual(purges(), before, "it is durable");
    const again = pool.newHost("mac-1");
    await pool.connect(again, { inventory: wholeInventory(undefined, { images: [] }) });
    assert.deepEqual(again.purges, ["MACOS v1"]);
    assert.equal(purges(again)[0]?.isDone, true);
  });

  it("go from a host that was never seen with them when it shows them", async () => {
    await pool.submit(judge("v1"));
    const late = await addHost("mac-9", [image("v1")]);
    assert.deepEqual(late.purges, ["MACOS v1"]);
  });

  it("are removed again when they come back", async () => {
    await pool.submit(judge("v1"));
    await show([image("v1")]);
    assert.deepEqual(host.purges, ["MACOS v1", "MACOS v1"]);
    assert.equal(purges().length, 1);
    await show([]);
    assert.equal(host.purges.length, 2);
  });

  it("go on to be removed by a server that was restarted in the middle", async () => {
    host.onPurge = hold;
    await pool.submit(judge("v1"));
    const [before] = purges();
    pool = await pool.restart();
    assert.deepEqual(purges(), [before]);
    const again = pool.newHost("mac-1");
    again.images = [image("v1")];
    await pool.connect(again);
    assert.deepEqual(again.purges, ["MACOS v1"]);
    assert.deepEqual(again.images, []);
    assert.equal(purges(again)[0]?.isDone, true);
  });

  for (const [what, answer] of [
    ["fails", failRetryably],
    ["is refused, as by an agent that does not know the command,", refuse],
  ] as const) {
    it(`whose removal ${what} are tried again with growing pauses, and say why`, async () => {
      host.onPurge = answer;
      await pool.submit(judge("v1"));
      assert.equal(purges()[0]?.failure?.reason, "NoPurge");
      await pool.advance(retryBaseMs);
      assert.equal(host.purges.length, 2, "the first time soon");
      await pool.advance(10 * minuteMs);
      const tries = host.purges.length;
      assert.ok(tries >= 8 && tries <= 20, `${tries} tries`);
      host.onPurge = succeed;
      await pool.advance(minuteMs + 1000);
      assert.deepEqual([purges()[0]?.isDone, purges()[0]?.failure], [true, undefined]);
    });
  }

  it("are kept as soon as it is restored, tainted or removed", async () => {
    host.onPurge = hold;
    for (const end of ["ACTIVE", "TAINTED"] as const) {
      await pool.submit(judge("v1"));
      const [{ commandId } = assert.fail()] = purges();
      await pool.submit(judge("v1", end));
      assert.equal(record().imagePurges, undefined);
      const late = await host.report({ id: commandId ?? assert.fail() }, "SUCCEEDED");
      assert.equal(late, false, "nobody waits for it");
    }
    await pool.submit(judge("v1"));
    await pool.submit({ type: "template-delete", id: asTemplateId("v1") });
    assert.equal(record().imagePurges, undefined);
    await pool.advance(minuteMs);
    assert.equal(host.purges.length, 3);
  });

  it("are kept while another template that is not revoked is made of them", async () => {
    await addTemplate("twin", "v1", "MACOS");
    await pool.submit(judge("v1"));
    assert.deepEqual([host.purges, versions()], [[], ["v1", "v2"]]);
    await pool.submit({
      type: "template-judge",
      id: asTemplateId("twin"),
      state: "REVOKED",
      reason: "too",
      by: "root",
    });
    assert.deepEqual(host.purges, ["MACOS v1"]);
  });

  it("are kept by a new template, and by one that is changed to them", async () => {
    host.onPurge = hold;
    await pool.submit(judge("v1"));
    assert.equal(purges().length, 1);
    await addTemplate("twin", "v1");
    assert.equal(record().imagePurges, undefined);
    const twin = pool.view().templates.get(asTemplateId("twin")) ?? assert.fail();
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "MACOS", version: "v2" } as const;
    await pool.submit({
      type: "template-update",
      id: twin.id,
      baseGeneration: twin.generation,
      spec: { ...twin.spec, source },
    });
    assert.equal(purges().length, 1);
  });

  it("of the latest version are all versions that nobody else is made of", async () => {
    await addTemplate("newest", "latest");
    await pool.submit(judge("newest"));
    assert.deepEqual([host.purges, versions()], [["MACOS v2"], ["v1"]]);
    await pool.submit(judge("v1"));
    assert.deepEqual(versions(), []);
  });

  it("are those of when it was revoked, whatever it is made of afterwards", async () => {
    await host.disconnect();
    await pool.submit(judge("v1"));
    const { generation, spec } = pool.view().templates.get(asTemplateId("v1")) ?? assert.fail();
    const { source } = templateSpec({ source: { ...spec.source, version: "v2" } as typeof spec.source });
    await pool.submit({
      type: "template-update",
      id: asTemplateId("v1"),
      baseGeneration: generation,
      spec: { ...spec, source },
    });
    await pool.connect(host);
    assert.deepEqual([host.purges, versions()], [["MACOS v1"], ["v2"]]);
  });

  it("are removed from very many hosts in several commits, and asked of nobody else", async () => {
    const count = purgesPerBatchMax + 5;
    const hosts = await Promise.all(
      Array.from({ length: count }, (_, index) => addHost(`many-${index}`, [image("v1")])),
    );
    const without = await addHost("without", [image("v1", "OTHER")]);
    for (const each of hosts) each.onPurge = hold;
    host.onPurge = hold;
    await pool.submit(judge("v1"));
    const told = pool.batches.map(
      ({ changes }) =>
        changes.filter(({ kind, before, after }) => kind === "host" && before?.imagePurges !== after?.imagePurges)
          .length,
    );
    assert.deepEqual(
      told.filter((one) => one > 0),
      [purgesPerBatchMax, 6],
    );
    assert.deepEqual([hosts.at(-1)?.purges, without.purges], [["MACOS v1"], []]);
  });

  it("are removed a few at a time", async () => {
    host.onPurge = hold;
    await addTemplate("all", "latest", "MANY");
    await show(Array.from({ length: removalsPerHostMax + 2 }, (_, index) => image(`v${index}`, "MANY")));
    await pool.submit(judge("all"));
    assert.equal(host.purges.length, removalsPerHostMax);
    const [{ commandId } = assert.fail()] = purges();
    await host.report({ id: commandId ?? assert.fail() }, "SUCCEEDED");
    await pool.settle();
    assert.equal(host.purges.length, removalsPerHostMax + 1);
  });
});
