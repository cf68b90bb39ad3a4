import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitCodes } from "../../../cli/exit-codes.ts";
import { makeKeyText } from "../../../server/secrets/secret-key.ts";
import { runAgainst, runAlone } from "../../support/cli/meridian.ts";

const secretsKey = { id: "0123456789ab", olderIds: ["ba9876543210"], location: "/m/secrets.key", secretCount: 3n };

describe("meridian secrets", () => {
  for (const [verb, access] of [
    ["status", { getSecretsKey: () => ({ secretsKey }) }],
    ["rotate", { rotateSecretsKey: () => ({ secretsKey }) }],
  ] as const) {
    it(`${verb} shows which key seals, those before it, and where they are`, async () => {
      const { exitCode, out } = await runAgainst({ access }, ["secrets", verb]);
      assert.equal(exitCode, 0);
      for (const part of ["0123456789ab", "ba9876543210", "/m/secrets.key", "3"]) assert.ok(out.includes(part), out);
      const json = JSON.parse((await runAgainst({ access }, ["secrets", verb, "--json"])).out);
      assert.deepEqual(json, { ...secretsKey, secretCount: "3" });
    });
  }
});

describe("meridian server forget-secrets", () => {
  it("makes no data directory where there is none", async () => {
    const directory = await mkdtemp(join(tmpdir(), "meridian-forget-"));
    try {
      const { exitCode, err } = await runAlone(["server", "forget-secrets", "--data-dir", join(directory, "data")]);
      assert.equal(exitCode, exitCodes.failed);
      assert.match(err, /is no data directory/);
      assert.deepEqual(await readdir(directory), []);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("takes a key from one place alone, and shows none", async () => {
    const key = makeKeyText();
    const environment = { MERIDIAN_SECRETS_KEY: key };
    const args = ["server", "forget-secrets", "--data-dir", "/nowhere", "--secrets-key-file", "/nowhere/key"];
    const { exitCode, err } = await runAlone(args, { environment });
    assert.equal(exitCode, exitCodes.wrongUsage);
    assert.match(err, /exclude each other/);
    assert.ok(!err.includes(key));
  });
});
