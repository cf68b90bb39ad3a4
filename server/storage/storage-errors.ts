/** What the file system and LevelDB throw, as the `StoreError` that an operator can act on. */
import { StoreError } from "./store.ts";

/** How the system says that there is no room: the disk, the user's quota, the process's own limit on a file's size. */
const fullSigns = [/ENOSPC|no space left/i, /EDQUOT|disk quota exceeded|quota exceeded/i, /EFBIG|file too large/i];

/**
 * "full" when the error or one of its causes says so, "damaged" when LevelDB calls it corruption, otherwise "failed". The
 * message is `what`, followed by what to do.
 */
export function toStoreError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const chain = causesOf(error);
  const detail = chain.at(-1)?.message ?? "unknown";
  if (chain.some(({ message }) => fullSigns.some((sign) => sign.test(message)))) {
    return new StoreError(
      "full",
      `${what}: there is no room on the disk. Make room and start the server again.`,
      error,
    );
  }
  if (chain.some((cause) => hasErrorCode(cause, "LEVEL_CORRUPTION"))) {
    return new StoreError("damaged", `${what}: the database is damaged (${detail}). Restore a backup.`, error);
  }
  return new StoreError("failed", `${what} (${detail}). Check the disk and the directory's permissions.`, error);
}

/** True for an error, or a cause of it, with this `code`. */
export function hasErrorCode(error: unknown, code: string): boolean {
  return causesOf(error).some((cause) => "code" in cause && cause.code === code);
}

/** Deep enough for every chain that the file system and LevelDB make, and an end for a circular one. */
const causesMax = 8;

function causesOf(error: unknown): readonly Error[] {
  const chain: Error[] = [];
  for (let cause = error; cause instanceof Error && chain.length < causesMax; cause = cause.cause) chain.push(cause);
  return chain;
}
