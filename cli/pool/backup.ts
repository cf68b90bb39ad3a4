/** `meridian pool backup`: a consistent copy of the server's store in a file, whole or not at all. */
import { createReadStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BackupHeader } from "../../server/storage/backup.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printJson, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { formatBytes } from "../values/size.ts";
import { examples, requireFlag } from "../verbs.ts";

export function registerBackup(noun: Program, terminal: Terminal): void {
  noun
    .command("backup")
    .summary("write a consistent copy of the server's store to a file")
    .description(
      "Writes a consistent copy of everything that the server stores, as it is at one revision, while the server goes on " +
        "serving. The file appears when it is complete and verified, replaces an older one of that name, and can be read " +
        "by you alone. Secrets in it are sealed, and their key is not in it. `meridian server restore` brings it back.",
    )
    .option("--output <file>", "the file to write")
    .addHelpText(
      "after",
      examples("pool backup --output meridian.backup", "pool backup --output meridian.backup --json"),
    )
    .action(({ output }, command) => {
      const file = requireFlag(output, "--output", "meridian pool backup --output meridian.backup");
      return withSession(terminal, command, (session) => backup(session, file));
    });
}

interface WrittenBackup extends BackupHeader {
  readonly records: number;
  readonly sizeBytes: number;
}

async function backup(session: Session, file: string): Promise<void> {
  const { revision, records, sizeBytes, createTime, poolUid } = await writeBackup(session, file);
  if (session.isJson) {
    printJson(session, { file, revision, records, sizeBytes, createTime, poolUid });
  } else {
    session.terminal.stdout.write(`${file}: revision ${revision}, ${records} records, ${formatBytes(sizeBytes)}\n`);
  }
}

/** Under another name first, in the same directory, so that nobody finds half a backup under the right one. */
async function writeBackup(session: Session, file: string): Promise<WrittenBackup> {
  try {
    return await writeInFolder(session, file);
  } catch (error) {
    if (!isFileError(error)) throw error;
    const message = `the backup cannot be written: ${error.message}`;
    throw new Failure(message, { exitCode: exitCodes.failed, hint: "Look at the disk and the path.", cause: error });
  }
}

async function writeInFolder(session: Session, file: string): Promise<WrittenBackup> {
  const folder = await mkdtemp(`${file}.unfinished-`);
  const unfinished = join(folder, "backup");
  try {
    const sizeBytes = await download(session, unfinished);
    const verified = await verify(unfinished);
    await rename(unfinished, file);
    await syncDirectory(dirname(file));
    return { ...verified, sizeBytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function download(session: Session, path: string): Promise<number> {
  const handle = await open(path, "wx", 0o600);
  try {
    const sizeBytes = await copyChunks(session, handle);
    await handle.sync();
    return sizeBytes;
  } finally {
    await handle.close();
  }
}

async function copyChunks(session: Session, handle: FileHandle): Promise<number> {
  let sizeBytes = 0;
  for await (const { chunk } of session.pool.backup({}, session.stream)) {
    await handle.writeFile(chunk);
    sizeBytes += chunk.length;
  }
  return sizeBytes;
}

/** Reads what is now on the disk to its end, as a restore would. */
async function verify(path: string): Promise<BackupHeader & { readonly records: number }> {
  // Only here, so that no other verb waits for it to load.
  const { decodeBackup } = await import("../../server/storage/backup.ts");
  const { header, entries } = await decodeBackup(createReadStream(path));
  let records = 0;
  for await (const step of entries) records += step.length;
  return { ...header, records };
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
