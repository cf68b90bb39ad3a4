/**
 * Which servers the agent obeys: each session has an epoch, and epochs only grow. One that is lower than any before comes
 * from a server that has forgotten what it told this Mac to do, as after a restore from an old backup.
 */
import type { Welcome } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import type { SessionRefusal } from "../link/link-source.ts";
import type { CommandMemory } from "./command-memory.ts";

export class EpochFence {
  readonly #memory: CommandMemory;
  readonly #log: Logger;
  #isRefusing = false;

  constructor(memory: CommandMemory, log: Logger) {
    this.#memory = memory;
    this.#log = log;
  }

  /** Why the session must not go on, or nothing; then its epoch is remembered. Says so once in the log, not at each try. */
  judge({ epoch, sessionId }: Welcome): SessionRefusal | undefined {
    const known = this.#memory.epoch;
    if (epoch >= known) {
      this.#memory.noteEpoch(epoch);
      this.#isRefusing = false;
      return undefined;
    }
    if (!this.#isRefusing) {
      this.#log.error(
        { epoch, known_epoch: known, session_id: sessionId },
        "server refused, since it knows less than it did before: if it was restored, restore it in the way that raises its " +
          "epochs; if this Mac is to join another pool, stop the agent, move its data directory away, and start it again",
      );
    }
    this.#isRefusing = true;
    return {
      reason: "StaleServer",
      message: `The session's epoch is ${epoch}, and this Mac has seen ${known}: the server lacks what it knew before.`,
    };
  }
}
