import assert from "node:assert/strict";
import { readCatalog } from "../../../../server/catalogs/catalog-client.ts";
import { decodeManifests } from "../../../../server/catalogs/manifest-decoder.ts";
import { storageSecret, TestCatalog } from "../../../support/catalog/test-catalog.ts";

describe("the reading of a catalog", () => {
  let catalog: TestCatalog;

  beforeEach(async () => {
    catalog = await TestCatalog.start();
    catalog.manifests = [
      { catalog_id: "UBUNTU", version: "v2", architecture: "x86_64", tainted: true, tainted_by: "root@localhost" },
      {
        catalog_id: "MACOS-15",
        version: "v3",
        tags: ["xcode", "latest"],
        required_roles: ["USER"],
        required_claims: [],
      },
      {
        catalog_id: "MACOS-15",
        version: "v2",
        revoked: true,
        tainted: true,
        revoked_by: "ada",
        required_claims: ["X"],
      },
    ];
  });
  afterEach(() => catalog.close());

  const user = () => ({ username: catalog.username, password: catalog.password, apiKey: "" });
  const key = () => ({ username: "", password: "", apiKey: catalog.apiKey });
  const read = (credentials: Parameters<typeof readCatalog>[1] = user(), signal = AbortSignal.timeout(10_000)) =>
    readCatalog(`${catalog.url}/`, credentials, signal);
  const faultOf = async (...args: Parameters<typeof read>): Promise<string> => {
    const reading = await read(...args);
    assert.equal(reading.kind, "fault");
    for (const secret of [catalog.password, catalog.apiKey, storageSecret]) {
      assert.ok(!JSON.stringify(reading).includes(secret));
    }
    return reading.fault.reason;
  };

  it("takes over what the pool has a use for, sorted, and nothing of where the images are", async () => {
    const reading = await read();
    assert.deepEqual(reading, {
      kind: "manifests",
      manifests: [
        {
          catalogId: "MACOS-15",
          version: "v2",
          architecture: "arm64",
          state: "REVOKED",
          by: "ada",
          requiredRoles: [],
          requiredClaims: ["X"],
        },
        {
          catalogId: "MACOS-15",
          version: "v3",
          architecture: "arm64",
          isLatest: true,
          requiredRoles: ["USER"],
          requiredClaims: [],
        },
        {
          catalogId: "UBUNTU",
          version: "v2",
          architecture: "x86_64",
          state: "TAINTED",
          by: "root@localhost",
          requiredRoles: [],
          requiredClaims: [],
        },
      ],
    });
    assert.deepEqual(catalog.asked, ["POST /api/v1/auth/token", "GET /api/v1/catalog"]);
  });

  it("shows an API key as it is", async () => {
    assert.equal((await read(key())).kind, "manifests");
    assert.deepEqual(catalog.asked, ["GET /api/v1/catalog"]);
  });

  it("says what is wrong in words of its own", async () => {
    assert.equal(await faultOf({ ...user(), password: "wrong" }), "LoginRefused");
    const open = await readCatalog(catalog.url, undefined, AbortSignal.timeout(10_000));
    assert.equal(open.kind === "fault" && open.fault.reason, "LoginRefused", "it is not open to everybody");
    assert.equal(await faultOf({ ...key(), apiKey: "bm8=" }), "LoginRefused");
    catalog.trouble = { status: 200, body: `"${catalog.password}"` };
    assert.equal(await faultOf(key()), "NotACatalog");
    catalog.trouble = { status: 200, body: "<html>" };
    assert.equal(await faultOf(key()), "NotACatalog");
    catalog.trouble = { status: 500, body: catalog.password };
    assert.equal(await faultOf(key()), "AnswersWithError");
    catalog.trouble = { status: 200, body: JSON.stringify({ token: "a\nx-evil: 1" }) };
    assert.equal(await faultOf(), "LoginRefused");
    catalog.trouble = "silence";
    assert.equal(await faultOf(key(), AbortSignal.timeout(50)), "TimedOut");
    await catalog.close();
    assert.equal(await faultOf(key()), "Unreachable");
    catalog = await TestCatalog.start();
  });

  it("shows its credentials to nobody to whom the catalog sends it on", async () => {
    const other = await TestCatalog.start();
    catalog.trouble = { status: 307 };
    assert.equal(await faultOf(key()), "AnswersWithError");
    assert.deepEqual(other.asked, []);
    await other.close();
  });

  it("leaves out what makes no sense", () => {
    const good = { catalog_id: "a", version: "v1", architecture: "arm64" };
    const nonsense: readonly unknown[] = [
      null,
      1,
      { ...good, catalog_id: "../x" },
      { ...good, version: "" },
      { ...good, version: "x".repeat(129) },
      { ...good, architecture: "riscv" },
      { ...good, catalog_id: undefined },
    ];
    assert.deepEqual(decodeManifests([{ a: nonsense }, null, 7, { b: 1 }]), []);
    const [manifest] = decodeManifests([
      { a: [{ ...good, revoked: true, revoked_by: "a\u001b[2Jb", tags: 1, required_roles: [1, "x".repeat(500)] }] },
    ]) ?? [assert.fail()];
    assert.deepEqual([manifest?.catalogId, manifest?.by, manifest?.isLatest], ["A", "a[2Jb", undefined]);
    assert.deepEqual(manifest?.requiredRoles, ["x".repeat(128)]);
    for (const answer of [undefined, null, {}, "x", 1]) assert.equal(decodeManifests(answer), undefined);
  });
});
