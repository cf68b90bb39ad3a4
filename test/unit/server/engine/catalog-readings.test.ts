import assert from "node:assert/strict";
import { type CatalogManifest, followingJudgement } from "../../../../server/pool/catalog.ts";
import type { CatalogRead, TemplateJudge } from "../../../../server/pool/events/templates.ts";
import type { CatalogRecord, TemplateRecord } from "../../../../server/pool/template.ts";
import { asCatalogId, asTemplateId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, hold } from "../../../support/pool/scripted-host.ts";
import { catalogCreate, sized, templateCreate, uidFor, vmCreate } from "../../../support/pool/specs.ts";

const url = "http://catalog.test";

function manifest(version: string, fields: Partial<CatalogManifest> = {}): CatalogManifest {
  return { catalogId: "MACOS", version, architecture: "arm64", requiredRoles: [], requiredClaims: [], ...fields };
}

function readOf(manifests: readonly CatalogManifest[], fields: Partial<CatalogRead> = {}): CatalogRead {
  const outcome = { kind: "manifests", manifests, leftOutCount: 0 } as const;
  return { type: "catalog-read", id: asCatalogId("main"), uid: uidFor("main"), url, outcome, ...fields };
}

const fault = { reason: "Unreachable", message: "the server cannot reach it" };
const failed: CatalogRead = readOf([], { outcome: { kind: "fault", fault } });

describe("what is read of a catalog", () => {
  let pool: PoolDriver;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    await pool.submit(catalogCreate("main", { url }));
    await addTemplate("newest", "latest");
    await addTemplate("v1", "v1");
  });
  afterEach(() => pool.close());

  async function addTemplate(id: string, version: string): Promise<void> {
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "macos", version } as const;
    await pool.submit(templateCreate(id, { source }));
  }

  const catalog = (): CatalogRecord => pool.view().catalogs.get(asCatalogId("main")) ?? assert.fail();
  const template = (id: string): TemplateRecord => pool.view().templates.get(asTemplateId(id)) ?? assert.fail();
  const due = (id: string) => followingJudgement(pool.view(), template(id));
  const versionOf = (name: string): string | undefined => {
    const { source } = pool.vm(name).image;
    return source.kind === "catalog" ? source.version : undefined;
  };
  /** Does what is due, and says what has become of the template. */
  const follow = async (id: string): Promise<string | undefined> => {
    const judgement = due(id);
    if (judgement !== undefined) await pool.submit(judgement);
    assert.equal(due(id), undefined, "what was done is not due again");
    return template(id).standing?.state;
  };
  const judge = (id: string, state: TemplateJudge["state"]) =>
    pool.submit({ type: "template-judge", id: asTemplateId(id), state, reason: "ours", by: "serviceAccounts/ada" });

  it("says which version the latest is when a VM is accepted, and that VM keeps it", async () => {
    await pool.create("before", { template: asTemplateId("newest") });
    assert.equal(versionOf("before"), "latest", "nobody knows yet");
    await pool.submit(
      readOf([
        manifest("v1"),
        manifest("v9", { architecture: "x86_64", isLatest: true }),
        manifest("v2", { isLatest: true }),
      ]),
    );
    await pool.create("second", { template: asTemplateId("newest") });
    await pool.submit(readOf([manifest("v2"), manifest("v3", { isLatest: true })]));
    await pool.create("third", { template: asTemplateId("newest") });
    assert.deepEqual(["before", "second", "third"].map(versionOf), ["latest", "v2", "v3"]);
    await pool.create("asked", { template: asTemplateId("newest"), templateVersion: "v2" });
    await pool.create("absent", { template: asTemplateId("newest"), templateVersion: "v7" });
    assert.deepEqual(["asked", "absent"].map(versionOf), ["v2", "v7"]);
  });

  it("may have a version that is called latest", async () => {
    await pool.submit(readOf([manifest("latest"), manifest("v1")]));
    await pool.create("a", { template: asTemplateId("newest") });
    assert.equal(versionOf("a"), "latest");
  });

  it("forbids a version that is revoked there, whichever way it is asked for", async () => {
    await pool.submit(readOf([manifest("v1", { state: "REVOKED", by: "ada" }), manifest("v2", { isLatest: true })]));
    const error = await pool.refuses(vmCreate("a", { template: asTemplateId("v1") }), "TEMPLATE_REVOKED");
    assert.match(error.message, /catalogs\/main says that MACOS v1 was revoked by ada/);
    const byVersion = { template: asTemplateId("newest"), templateVersion: "v1" };
    await pool.refuses(vmCreate("b", byVersion), "TEMPLATE_REVOKED");
    await pool.create("c", { template: asTemplateId("newest") });
  });

  it("is followed by templates in both directions, and VMs that wait end with it", async () => {
    await pool.create("waits", { template: asTemplateId("v1") });
    await pool.submit(readOf([manifest("v1", { state: "TAINTED", by: "ada" })]));
    assert.equal(await follow("v1"), "TAINTED");
    assert.equal(pool.vm("waits").state, "PENDING");
    await pool.submit(readOf([manifest("v1", { state: "REVOKED" })]));
    assert.equal(await follow("v1"), "REVOKED");
    assert.equal(pool.vm("waits").failure?.reason, "TemplateRevoked");
    const { by, reason } = template("v1").standing ?? assert.fail();
    assert.deepEqual([by, reason], ["catalogs/main", "catalogs/main says that MACOS v1 was revoked"]);
    await pool.submit(readOf([manifest("v1")]));
    assert.equal(await follow("v1"), undefined);
    await pool.create("new", { template: asTemplateId("v1") });
  });

  it("ends at once what waits for, or is made of, a version that is revoked there, though its template goes on", async () => {
    await pool.submit(readOf([manifest("v1", { isLatest: true })]));
    const host = await pool.addHost("mac-1");
    const newest = { template: asTemplateId("newest") };
    await pool.create("runs", newest);
    host.always("create", accept);
    host.always("delete", hold);
    await pool.create("made", { ...newest, ...sized(8) });
    await pool.create("waits", { ...newest, ...sized(8) });
    await pool.submit(readOf([manifest("v1"), manifest("v2", { isLatest: true })]));
    await pool.create("later", { ...newest, ...sized(8) });
    const states = (): readonly string[] => ["runs", "made", "waits", "later"].map((name) => pool.vm(name).state);
    assert.deepEqual(states(), ["RUNNING", "CREATING", "PENDING", "PENDING"]);
    const revoked = manifest("v1", { state: "REVOKED", by: "ada" });
    await pool.submit(readOf([revoked, manifest("v2", { isLatest: true })]));
    assert.equal(await follow("newest"), undefined);
    assert.deepEqual(states(), ["RUNNING", "DELETING", "FAILED", "PENDING"]);
    for (const name of ["made", "waits"]) {
      const { reason, message } = pool.vm(name).failure ?? assert.fail();
      assert.deepEqual([reason, message], ["TemplateRevoked", "catalogs/main says that MACOS v1 was revoked by ada"]);
    }
  });

  it("ends what waits for the latest, whatever that is, when a revoked version becomes it", async () => {
    await pool.create("waits", { template: asTemplateId("newest") });
    const revoked = manifest("v1", { state: "REVOKED" });
    await pool.submit(readOf([revoked]));
    assert.equal(pool.vm("waits").state, "PENDING");
    await pool.submit(readOf([{ ...revoked, isLatest: true }]));
    assert.equal(pool.vm("waits").failure?.reason, "TemplateRevoked");
  });

  it("is followed by a template of the latest version when that is another one", async () => {
    await pool.submit(readOf([manifest("v1", { isLatest: true, state: "REVOKED" }), manifest("v2")]));
    assert.equal(await follow("newest"), "REVOKED");
    await pool.submit(readOf([manifest("v1", { state: "REVOKED" }), manifest("v2", { isLatest: true })]));
    assert.equal(await follow("newest"), undefined);
  });

  const words = [undefined, "TAINTED", "REVOKED"] as const;
  for (const ours of words) {
    for (const theirs of words) {
      const expected = ours === "REVOKED" || theirs === "REVOKED" ? "REVOKED" : (ours ?? theirs);
      it(`leaves a template ${expected ?? "ACTIVE"} that an operator left ${ours ?? "ACTIVE"} when it says ${theirs ?? "nothing"}`, async () => {
        if (ours !== undefined) await judge("v1", ours);
        await pool.submit(readOf([manifest("v1", theirs === undefined ? {} : { state: theirs })]));
        assert.equal(await follow("v1"), expected);
        const isTheirs = theirs !== undefined && expected === theirs && ours !== expected;
        assert.equal(template("v1").standing?.by === "catalogs/main", isTheirs);
      });
    }
  }

  it("is followed again by a template that an operator restores while it stands", async () => {
    await pool.submit(readOf([manifest("v1", { state: "REVOKED" })]));
    await follow("v1");
    await judge("v1", "ACTIVE");
    assert.equal(await follow("v1"), "REVOKED");
  });

  it("restores nothing because a manifest, or the catalog, cannot be seen any more", async () => {
    await pool.submit(readOf([manifest("v1", { state: "REVOKED" })]));
    await follow("v1");
    await pool.submit(failed);
    assert.equal(await follow("v1"), "REVOKED");
    assert.equal(catalog().reading?.manifests.length, 1, "what was read last still counts");
    await pool.submit(readOf([]));
    assert.equal(await follow("v1"), "REVOKED");
  });

  it("is judged by the template as it was seen, so that a word of an operator's is not overridden", async () => {
    await pool.submit(readOf([manifest("v1", { state: "TAINTED" })]));
    const stale = due("v1") ?? assert.fail();
    await judge("v1", "REVOKED");
    await pool.refuses(stale, "ETAG_MISMATCH");
    assert.equal(template("v1").standing?.by, "serviceAccounts/ada");
  });

  it("changes the record only when it is news, and tells since when the catalog can be read or not", async () => {
    const told: [CatalogRead, boolean][] = [
      [readOf([manifest("v1")]), true],
      [readOf([manifest("v1")]), false],
      [readOf([manifest("v1", { isLatest: true })]), true],
      [failed, true],
      [failed, false],
      [readOf([manifest("v1", { isLatest: true })]), true],
    ];
    const since: (number | undefined)[] = [];
    for (const [event, isNews] of told) {
      await pool.advance(1000);
      const { etag } = { etag: catalog().revision };
      assert.equal(await pool.submit(event), isNews);
      assert.equal(catalog().revision !== etag, isNews);
      since.push(catalog().reading?.sinceMs);
    }
    const [first, second, third, fourth, fifth, sixth] = since;
    assert.deepEqual([second, third, fifth], [first, first, fourth]);
    assert.ok(new Set([first, fourth, sixth]).size === 3);
    pool = await pool.restart();
    assert.deepEqual(catalog().reading?.manifests, [manifest("v1", { isLatest: true })]);
  });

  it("counts only for the catalog that was read", async () => {
    const manifests = [manifest("v1")];
    assert.equal(await pool.submit(readOf(manifests, { uid: uidFor("another") })), false);
    assert.equal(await pool.submit(readOf(manifests, { url: "http://elsewhere.test" })), false);
    assert.equal(await pool.submit(readOf(manifests, { id: asCatalogId("absent") })), false);
    await pool.submit(readOf(manifests));
    const { generation, spec } = catalog();
    const update = { type: "catalog-update", id: asCatalogId("main") } as const;
    await pool.submit({ ...update, baseGeneration: generation, spec: { ...spec, description: "ours" } });
    assert.ok(catalog().reading !== undefined);
    await pool.submit({ ...update, baseGeneration: generation + 1, spec: { ...spec, url: "http://elsewhere.test" } });
    assert.equal(catalog().reading, undefined);
  });

  it("lets images go that the latest version is not any more", async () => {
    const images = [{ catalogId: "MACOS", version: "v1", architecture: "arm64", sizeMib: 1 }];
    const host = await pool.addHost("mac-1", { inventory: { isWhole: true, vms: [], removedIds: [], images } });
    const revoke = { type: "template-judge", id: asTemplateId("v1"), state: "REVOKED", reason: "x", by: "y" } as const;
    await pool.submit({ ...revoke, purgesImages: true });
    assert.deepEqual(host.purges, [], "the other template may be made of it");
    await pool.submit(readOf([manifest("v1"), manifest("v2", { isLatest: true })]));
    assert.deepEqual(host.purges, ["MACOS v1"]);
  });
});
