/** Why a journal cannot be used. */

/** A start that must not go on. */
export class JournalRefused extends Error {
  override readonly name = "JournalRefused";
  /** What to do about it, in whole sentences. */
  readonly hint: string;

  /** @param message what is wrong, for people. */
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Something could not be made durable; the next write tries again with everything. */
export class JournalFailed extends Error {
  override readonly name = "JournalFailed";

  constructor(cause: unknown) {
    super("the agent's journal cannot be written", { cause });
  }
}
