/**
 * One agent at a time for a data directory. Node has no locks on files that end with the process, so the owners are numbered:
 * `owner-7.json` names the process that has the directory, and the highest number counts. Who finds that process gone makes
 * the next number, which only one can; who made a number and finds a higher one gives way. So a `kill -9` needs no tidying, and
 * two agents that start at once cannot both come in.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { readBootId } from "../../shared/machine.ts";
import { JournalRefused } from "./journal-errors.ts";

/** Who has the directory. A process id alone is used again; with the time of its start, and that of the Mac's, it is not. */
interface Owner {
  readonly pid: number;
  readonly processStart: string;
  readonly bootId: string;
}

/** Others that start and end at the same moment may make us look again; more often than this is no coincidence. */
const triesMax = 20;

/**
 * Resolves with the function that lets go of the directory (twice is harmless).
 * @throws JournalRefused when another agent has it.
 */
export async function takeOwnership(dataDir: string): Promise<() => Promise<void>> {
  const self: Owner = {
    pid: process.pid,
    processStart: await readProcessStart(process.pid),
    bootId: await readBootId(),
  };
  const draft = join(dataDir, `owner-draft-${randomUUID()}`);
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
  try {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const path = await tryNext(dataDir, draft);
      if (path !== undefined) return () => rm(path, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new JournalRefused(`other agents take and leave the data directory ${dataDir} all the time`, "Stop them.");
}

/** Makes the next number; nothing when somebody else was faster. */
async function tryNext(dataDir: string, draft: string): Promise<string | undefined> {
  const highest = (await ownerNumbers(dataDir)).at(-1) ?? 0;
  const present = highest === 0 ? undefined : await readOwner(ownerPath(dataDir, highest));
  if (present !== undefined && (await isAlive(present))) {
    throw new JournalRefused(
      `another agent (process ${present.pid}) has the data directory ${dataDir}`,
      "Stop that one, or name another directory with --data-dir.",
    );
  }
  const path = ownerPath(dataDir, highest + 1);
  try {
    await link(draft, path);
  } catch (error) {
    if (isCode(error, "EEXIST")) return undefined;
    throw error;
  }
  const numbers = await ownerNumbers(dataDir);
  if (numbers.at(-1) !== highest + 1) {
    await rm(path, { force: true });
    return undefined;
  }
  for (const number of numbers.slice(0, -1)) await rm(ownerPath(dataDir, number), { force: true });
  return path;
}

async function ownerNumbers(dataDir: string): Promise<readonly number[]> {
  const names = await readdir(dataDir);
  return names
    .flatMap((name) => /^owner-(\d{1,15})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((left, right) => left - right);
}

function ownerPath(dataDir: string, number: number): string {
  return join(dataDir, `owner-${number}.json`);
}

/** Nothing when it is gone again, or was never finished. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const { pid, processStart, bootId } = JSON.parse(await readFile(path, "utf8")) as Partial<Owner>;
    return typeof pid === "number" ? { pid, processStart: processStart ?? "", bootId: bootId ?? "" } : undefined;
  } catch (error) {
    if (isCode(error, "ENOENT") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.bootId !== (await readBootId())) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // Without the right to signal it, it is somebody else's, and there.
    if (!isCode(error, "EPERM")) return false;
  }
  return (await readProcessStart(owner.pid)) === owner.processStart;
}

/** What tells a process from a later one with its id. Empty when it cannot be had. */
async function readProcessStart(pid: number): Promise<string> {
  try {
    if (process.platform === "linux") {
      const text = await readFile(`/proc/${pid}/stat`, "utf8");
      // The name, in parentheses, may hold spaces; behind it come the state and, as the twentieth field, the start.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return fields[0] === "Z" ? "" : (fields[19] ?? "");
    }
    const { stdout } = await promisify(execFile)("/bin/ps", ["-o", "lstart=", "-p", String(pid)], { timeout: 2_000 });
    return stdout.trim();
  } catch {
    return "";
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
