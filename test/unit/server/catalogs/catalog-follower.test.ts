import assert from "node:assert/strict";
import {
  CatalogFollower,
  type CatalogFollowerOptions,
  manifestsMax,
} from "../../../../server/catalogs/catalog-follower.ts";
import type { CatalogRecord } from "../../../../server/pool/template.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { asCatalogId } from "../../../../shared/ids.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { TestCatalog } from "../../../support/catalog/test-catalog.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { catalogCreate, templateCreate } from "../../../support/pool/specs.ts";
import { until } from "../sessions/agent-client.ts";

const quick = { periodMs: 20, timeoutMs: 5000, spacingMs: 5 };
/** Longer than any test takes. */
const slow = { periodMs: 3_600_000, timeoutMs: 3_600_000, spacingMs: 5 };

describe("who follows catalogs", () => {
  let pool: PoolDriver;
  let catalog: TestCatalog;
  let follower: CatalogFollower | undefined;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    catalog = await TestCatalog.start();
    await pool.submit(catalogCreate("main", { url: catalog.url }));
  });
  afterEach(async () => {
    await follower?.close();
    follower = undefined;
    await catalog.close();
    await pool.close();
  });

  function follow(fields: Partial<CatalogFollowerOptions> = {}): void {
    const openCredentials = () => ({ username: "", password: "", apiKey: catalog.apiKey });
    const ports = { engine: pool.engine, clock: systemClock, log: silentLogger };
    follower = new CatalogFollower({ ...ports, openCredentials, tuning: quick, ...fields });
    follower.start();
  }

  const record = (id = "main"): CatalogRecord => pool.view().catalogs.get(asCatalogId(id)) ?? assert.fail();
  const fault = () => record().reading?.fault?.reason;
  const isRead = (id = "main") => until(async () => record(id).reading !== undefined, `catalogs/${id} to be read`);

  it("asks a catalog for nothing whose credentials cannot be opened, and says so", async () => {
    follow({ openCredentials: () => ({ fault: "key-unknown" }) });
    await isRead();
    assert.deepEqual([fault(), catalog.asked], ["CredentialsSealed", []]);
  });

  it("reads a new catalog at once, and one that is asked for elsewhere now", async () => {
    follow({ tuning: slow });
    await isRead();
    await pool.submit(catalogCreate("second", { url: catalog.url }));
    await isRead("second");
    const asked = catalog.asked.length;
    const { generation, spec } = record();
    const update = { type: "catalog-update", id: asCatalogId("main"), baseGeneration: generation } as const;
    await pool.submit({ ...update, spec: { ...spec, url: `${catalog.url}/` } });
    await isRead();
    assert.ok(catalog.asked.length > asked);
  });

  it("keeps as many manifests as it may, those that templates name before others", async () => {
    const source = { kind: "catalog", catalog: asCatalogId("main"), catalogId: "zulu", version: "v1" } as const;
    await pool.submit(templateCreate("last", { source }));
    const others = Array.from({ length: manifestsMax + 5 }, (_, index) => ({
      catalog_id: "ALPHA",
      version: `v${index}`,
    }));
    catalog.manifests = [...others, { catalog_id: "ZULU", version: "v1", revoked: true }];
    follow();
    await isRead();
    const { manifests, leftOutCount } = record().reading ?? assert.fail();
    assert.deepEqual([manifests.length, leftOutCount, manifests[0]?.catalogId], [manifestsMax, 6, "ZULU"]);
  });

  it("writes nothing while nothing changes, and asks again and again", async () => {
    follow();
    await isRead();
    const { revision } = pool.view();
    const asked = catalog.asked.length;
    await until(async () => catalog.asked.length > asked + 3, "further readings");
    assert.equal(pool.view().revision, revision);
  });

  it("is held up by one that does not answer in neither the others nor its own end", async () => {
    const silent = await TestCatalog.start();
    silent.trouble = "silence";
    await pool.submit(catalogCreate("silent", { url: silent.url }));
    follow({ tuning: slow });
    await isRead();
    assert.equal(record("silent").reading, undefined);
    await follower?.close();
    follower = undefined;
    await silent.close();
  });
});
