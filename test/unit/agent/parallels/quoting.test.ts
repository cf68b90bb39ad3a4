import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { array, assert as assertProperty, property, string } from "fast-check";
import { describe, it } from "mocha";
import { buildConnectionString, type CatalogAccess } from "../../../../agent/parallels/connection-string.ts";
import { buildGuestCommand } from "../../../../agent/parallels/guest-command.ts";

const url = "https://catalog.example.com:8443/";

describe("a guest's command", () => {
  it("reaches the program word for word, whatever it holds", () => {
    const word = string({ unit: "binary" }).filter((text) => !text.includes("\0") && text.isWellFormed());
    const words = array(word, { minLength: 1, maxLength: 5 });
    assertProperty(
      property(words, word, (args, value) => {
        const print = "process.stdout.write(JSON.stringify([process.env.V, ...process.argv.slice(1)]))";
        const text = buildGuestCommand({ command: [process.execPath, "-e", print, "--", ...args], env: { V: value } });
        assert.deepEqual(JSON.parse(execFileSync("/bin/sh", ["-c", text], { encoding: "utf8" })), [value, ...args]);
      }),
      { numRuns: 15 },
    );
  });

  it("is refused when a shell could not carry it", () => {
    const commands = [[], [""], ["a\0b"], ["A=1", "x"], ["x".repeat(200_000)]];
    for (const command of commands) assert.throws(() => buildGuestCommand({ command }), { name: "ParallelsError" });
    for (const name of ["", "A B", "1A", "A=B", "A;B"]) {
      assert.throws(() => buildGuestCommand({ command: ["true"], env: { [name]: "1" } }), { name: "ParallelsError" });
    }
  });
});

describe("a catalog's connection string", () => {
  it("gives each credential a key of its own", () => {
    const host = "host=https://catalog.example.com:8443";
    assert.equal(
      buildConnectionString({ url, username: "a:b@c", password: "p:w@d" }),
      `${host};username=a:b@c;password=p:w@d`,
    );
    assert.equal(buildConnectionString({ url, apiKey: "a2V5OnNlY3JldA==" }), `${host};api_key=a2V5OnNlY3JldA==`);
  });

  it("refuses what the service's parser would misread, and never repeats it", () => {
    const bad: readonly CatalogAccess[] = [
      { url, username: "u", password: "secret;host=evil" },
      { url, username: "u", password: "secretHOST=evil" },
      { url, username: "secret\n", password: "p" },
      { url, username: "u", password: " secret" },
      { url, apiKey: "secret;x" },
      { url: "https://u:secret@catalog.example.com", apiKey: "k" },
      { url: "https://catalog.example.com/?secret", apiKey: "k" },
      { url: "secret", apiKey: "k" },
    ];
    for (const access of bad) {
      const isRefusal = (error: Error): boolean => error.name === "ParallelsError" && !error.message.includes("secret");
      assert.throws(() => buildConnectionString(access), isRefusal, JSON.stringify(access));
    }
  });

  it("needs credentials unless the catalog is the Mac's own, since the service would look there", () => {
    assert.throws(() => buildConnectionString({ url }), { kind: "catalog" });
    assert.throws(() => buildConnectionString({ url, username: "u" }), { kind: "catalog" });
    assert.equal(buildConnectionString({ url: "http://127.0.0.1:3080" }), "host=http://127.0.0.1:3080");
  });
});
