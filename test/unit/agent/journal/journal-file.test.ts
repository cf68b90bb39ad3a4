import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JournalRefused } from "../../../../agent/journal/journal-errors.ts";
import { openJournalFile } from "../../../../agent/journal/journal-file.ts";
import type { JournalStorage } from "../../../../agent/journal/journal-storage.ts";

describe("the journal's file", () => {
  let dataDir: string;
  const opened: JournalStorage[] = [];

  beforeEach(async () => {
    dataDir = join(await mkdtemp(join(tmpdir(), "meridian-journal-")), "agent");
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((storage) => storage.close()));
    await rm(join(dataDir, ".."), { recursive: true, force: true });
  });

  async function open(): Promise<JournalStorage> {
    const storage = await openJournalFile(dataDir);
    opened.push(storage);
    return storage;
  }

  it("makes its directory, for its owner's eyes only, and has nothing to tell at first", async () => {
    const storage = await open();
    assert.equal(await storage.read(), undefined);
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
    await storage.replace(Buffer.from("a"));
    assert.equal((await stat(join(dataDir, "journal"))).mode & 0o777, 0o600);
  });

  it("appends, replaces, and appends to what it replaced", async () => {
    const storage = await open();
    await storage.append(Buffer.from("a"));
    await storage.append(Buffer.from("b"));
    await storage.replace(Buffer.from("c"));
    await storage.append(Buffer.from("d"));
    assert.equal(Buffer.from((await storage.read()) ?? []).toString(), "cd");
  });

  it("replaces although an earlier replacement was cut off", async () => {
    const storage = await open();
    await writeFile(join(dataDir, "journal.unfinished"), "rubbish");
    await storage.replace(Buffer.from("c"));
    assert.equal(await readFile(join(dataDir, "journal"), "utf8"), "c");
  });

  it("sets aside under names that are not taken", async () => {
    const storage = await open();
    const names: string[] = [];
    for (const text of ["a", "b"]) {
      await storage.replace(Buffer.from(text));
      names.push(await storage.setAside());
    }
    assert.deepEqual(await Promise.all(names.map((name) => readFile(name, "utf8"))), ["a", "b"]);
    assert.equal(await storage.read(), undefined);
  });

  it("refuses a second agent, naming the process and what to do, until the first has let go", async () => {
    const first = await open();
    await assert.rejects(openJournalFile(dataDir), (error: unknown) => {
      assert(error instanceof JournalRefused);
      assert.match(error.message, new RegExp(`another agent \\(process ${process.pid}\\)`));
      assert.match(error.hint, /--data-dir/);
      return true;
    });
    await first.close();
    await first.close();
    await open();
  });

  it("lets one in of several that start at once, also after an owner that was killed", async () => {
    const killed = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    await once(killed, "spawn");
    await open();
    const [owner = ""] = (await readdir(dataDir)).filter((name) => name.startsWith("owner-"));
    await opened.splice(0)[0]?.close();
    killed.kill("SIGKILL");
    await once(killed, "close");
    await writeFile(join(dataDir, owner), JSON.stringify({ pid: killed.pid, processStart: "1", bootId: "" }));
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, open));
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal((await readdir(dataDir)).filter((name) => name.startsWith("owner-")).length, 1);
  });

  it("is not fooled by a process that has the id of an owner long gone", async () => {
    const first = await open();
    const [owner = ""] = (await readdir(dataDir)).filter((name) => name.startsWith("owner-"));
    const text = await readFile(join(dataDir, owner), "utf8");
    await first.close();
    // The content is what this agent wrote.
    const other = { ...(JSON.parse(text) as object), processStart: "another time" };
    await writeFile(join(dataDir, owner), JSON.stringify(other));
    await open();
  });

  it("says what is wrong with a directory that cannot be made", async () => {
    await open();
    await writeFile(join(dataDir, "file"), "");
    await assert.rejects(openJournalFile(join(dataDir, "file", "below")), JournalRefused);
  });
});
