/** Secrets in the records of a real server: sealed on the disk, opened for agents, and what becomes of them with their key. */
import assert from "node:assert/strict";
import { cp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { forgetSecrets } from "../../../server/forget-secrets.ts";
import { restoreDataDirectory } from "../../../server/restore.ts";
import { makeKeyText } from "../../../server/secrets/secret-key.ts";
import { type RunningServer, type ServerOptions, startServer } from "../../../server/server.ts";
import { openLevelStore } from "../../../server/storage/level-store.ts";
import { systemClock } from "../../../shared/clock.ts";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { CatalogService } from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { randomIds } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../contract/store/scratch-directory.ts";
import { findInFiles } from "../../support/secrets/raw-files.ts";

/** So odd that a compressed file shows it too. */
const password = "q7Zk4Xw9vB2";
const url = "https://catalog.example.com";
const loopback = { host: "127.0.0.1", port: 0 };

describe("the secrets in a server's records", () => {
  let scratch: ScratchDirectory;
  let dataDir: string;
  let running: RunningServer | undefined;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    dataDir = join(scratch.path, "data");
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
    await scratch.remove();
  });

  async function start(fields: Partial<ServerOptions> = {}): Promise<RunningServer> {
    running = await startServer({
      dataDir,
      listen: loopback,
      agentListen: loopback,
      httpListen: loopback,
      insecure: true,
      clock: systemClock,
      ids: randomIds,
      log: silentLogger,
      version: "1.2.3",
      ...fields,
    });
    return running;
  }

  async function stop(): Promise<void> {
    await running?.close();
    running = undefined;
  }

  function clients() {
    const transport = createGrpcTransport({ baseUrl: `http://${running?.addresses.grpc}` });
    return {
      access: createClient(AccessService, transport),
      catalogs: createClient(CatalogService, transport),
      pool: createClient(PoolService, transport),
    };
  }

  async function createCatalog(catalogId = "main"): Promise<void> {
    const spec = { url, credentials: { username: "ci", password } };
    await clients().catalogs.createCatalog({ catalogId, requestId: catalogId, catalog: { spec } });
  }

  /** Changes a part of the credentials, which is refused unless the rest can be opened. */
  async function changeUser(catalogs: Client<typeof CatalogService>): Promise<void> {
    const updateMask = { paths: ["spec.credentials.username"] };
    const catalog = { name: "catalogs/main", spec: { credentials: { username: "other" } } };
    assert.equal((await catalogs.updateCatalog({ catalog, updateMask })).catalog?.spec?.hasCredentials, true);
  }

  /** As version 0.1.0 did. */
  async function writeOlderCatalog(): Promise<void> {
    const store = await openLevelStore(dataDir, { clock: systemClock, ids: randomIds });
    const { revision } = await store.load();
    const spec = { url, description: "", credentials: { username: "ci", password, apiKey: "" } };
    const record = {
      id: "main",
      uid: randomIds.uid(),
      spec,
      generation: 1,
      createTimeMs: 1,
      updateTimeMs: 1,
      revision: 1,
    };
    const puts = [{ key: "catalog/main", value: JSON.stringify({ version: 1, record }) }];
    await store.commit({ revision: revision + 1, puts, deletes: [] });
    await store.close();
  }

  const keyFile = (): string => join(dataDir, "secrets.key");
  const onDisk = (): Promise<readonly string[]> => findInFiles(dataDir, [password]);

  it("stand nowhere on the disk as they are, and are there after a restart", async () => {
    await start();
    await createCatalog();
    assert.deepEqual(await onDisk(), []);
    await stop();
    assert.deepEqual(await onDisk(), []);
    assert.equal((await stat(keyFile())).mode & 0o777, 0o600);
    await start();
    await changeUser(clients().catalogs);
  });

  it("of an older version's records are sealed before the server serves, and nothing of them stays in its files", async () => {
    await writeOlderCatalog();
    assert.notDeepEqual(await onDisk(), []);
    await start();
    assert.deepEqual(await onDisk(), []);
    await changeUser(clients().catalogs);
  });

  for (const [what, spoil] of [
    ["missing", (): Promise<void> => rm(keyFile())],
    ["another one", (): Promise<void> => writeFile(keyFile(), makeKeyText())],
  ] as const) {
    it(`keep a server from starting when their key is ${what}, and nothing is changed`, async () => {
      await start();
      await createCatalog();
      const id = (await clients().access.getSecretsKey({})).secretsKey?.id ?? "";
      await stop();
      const key = await readFile(keyFile(), "utf8");
      await spoil();
      const copy = join(scratch.path, "copy");
      await cp(dataDir, copy, { recursive: true });
      const words = new RegExp(`key ${id}, which is not in .*secrets\\.key: .*forget-secrets.*Nothing was changed`);
      await assert.rejects(start(), { name: "StoreError", kind: "sealed", message: words });
      const spoilt = await readFile(keyFile(), "utf8").catch(() => undefined);
      assert.equal(spoilt, await readFile(join(copy, "secrets.key"), "utf8").catch(() => undefined));
      await writeFile(keyFile(), key);
      await start();
      await changeUser(clients().catalogs);
    });
  }

  it("keep a server from starting when the file holds no key, and the message shows nothing of it", async () => {
    await start();
    await createCatalog();
    await stop();
    await writeFile(keyFile(), "msk1.almost-a-key");
    const failure = await start().catch((error: unknown) => error);
    assert.ok(failure instanceof Error && /is no list of keys/.test(failure.message), String(failure));
    assert.ok(!failure.message.includes("almost"));
    assert.equal(await readFile(keyFile(), "utf8"), "msk1.almost-a-key");
  });

  it("are sealed with a new key while the server serves, and open with it alone", async () => {
    await start();
    await createCatalog();
    const { access } = clients();
    const before = (await access.getSecretsKey({})).secretsKey;
    const after = (await access.rotateSecretsKey({})).secretsKey;
    assert.deepEqual(after?.olderIds, [before?.id]);
    assert.equal(after?.secretCount, 1n);
    assert.equal(after?.location, keyFile());
    await changeUser(clients().catalogs);
    await stop();
    // Without the key before.
    const lines = (await readFile(keyFile(), "utf8")).split("\n").filter((line) => line.startsWith("msk1."));
    assert.equal(lines.length, 2);
    await writeFile(keyFile(), `${lines[0]}\n`);
    assert.deepEqual(await findInFiles(join(dataDir, "database"), [`sealed1.${before?.id}`]), []);
    await start();
    await changeUser(clients().catalogs);
  });

  it("can have their key in the environment, where a new one before it takes over at the next start", async () => {
    const [first, second] = [makeKeyText(), makeKeyText()];
    await start({ secretsKeys: { environment: first } });
    await createCatalog();
    await assert.rejects(stat(keyFile()), { code: "ENOENT" });
    await assert.rejects(clients().access.rotateSecretsKey({}), /MERIDIAN_SECRETS_KEY/);
    await stop();
    await start({ secretsKeys: { environment: `${second} ${first}` } });
    await stop();
    await start({ secretsKeys: { environment: second } });
    await changeUser(clients().catalogs);
  });

  it("are in a backup sealed, without their key, and open where that is brought along", async () => {
    await start();
    await createCatalog();
    const chunks: Uint8Array[] = [];
    for await (const { chunk } of clients().pool.backup({})) chunks.push(chunk);
    await stop();
    const backup = Buffer.concat(chunks);
    const [key = ""] = (await readFile(keyFile(), "utf8")).split("\n").filter((line) => line.startsWith("msk1."));
    assert.ok(backup.includes("sealed1.") && !backup.includes(password) && !backup.includes(key));
    const file = join(scratch.path, "backup");
    await writeFile(file, backup);
    await rename(dataDir, `${dataDir}-before`);
    await restoreDataDirectory({ file, dataDir, clock: systemClock });
    await assert.rejects(start(), { kind: "sealed" });
    await writeFile(keyFile(), key);
    await start();
    await changeUser(clients().catalogs);
  });

  it("can be given up when their key is lost, and nothing else is", async () => {
    await start();
    await createCatalog();
    await clients().catalogs.createCatalog({ catalogId: "open", catalog: { spec: { url } } });
    await stop();
    const sources = { dataDir, keys: {}, clock: systemClock, ids: randomIds };
    assert.deepEqual(await forgetSecrets(sources), []);
    await rm(keyFile());
    assert.deepEqual(await forgetSecrets(sources), ["catalogs/main"]);
    await start();
    const shown = (await clients().catalogs.listCatalogs({})).catalogs.map(({ spec }) => [
      spec?.url,
      spec?.hasCredentials,
    ]);
    assert.deepEqual(shown, [
      [url, false],
      [url, false],
    ]);
  });

  it("do not let a request id tell whether a guess is right", async () => {
    await start();
    await createCatalog();
    await stop();
    const guess = JSON.stringify({ apiKey: "", password, username: "ci" });
    const { createHash } = await import("node:crypto");
    const digests = [guess, `{"catalogId":"main","spec":{"credentials":${guess},"description":"","url":"${url}"}}`];
    const needles = digests.map((text) => createHash("sha256").update(text).digest("hex"));
    assert.deepEqual(await findInFiles(dataDir, needles), []);
    await start();
    await createCatalog();
  });
});
