/** Why a journal cannot be used. */

/** A start that must not go on; the message is for people and says what to do. */
export class JournalRefused extends Error {
  override readonly name = "JournalRefused";
}

/** Something could not be made durable; the next write tries again with everything. */
export class JournalFailed extends Error {
  override readonly name = "JournalFailed";

  constructor(cause: unknown) {
    super("the agent's journal cannot be written", { cause });
  }
}
