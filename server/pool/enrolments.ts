/** The join tokens and credentials of a pool. Like the rest of it they are changed by appliers alone. */
import { required } from "../../shared/assert.ts";
import type { HostId, JoinTokenId } from "../../shared/ids.ts";
import type { RecordChange } from "./changes.ts";
import type { Deadlines } from "./deadlines.ts";
import type { CredentialRecord, JoinTokenRecord } from "./enrolment.ts";
import { joinTokenRetentionMs } from "./limits.ts";

export class Enrolments {
  readonly joinTokens = new Map<JoinTokenId, JoinTokenRecord>();
  readonly credentials = new Map<HostId, CredentialRecord>();
  private readonly deadlines: Deadlines;
  private readonly note: (change: RecordChange) => void;

  /** @param note is told of every change, for it to become durable. */
  constructor(deadlines: Deadlines, note: (change: RecordChange) => void) {
    this.deadlines = deadlines;
    this.note = note;
  }

  putJoinToken(after: JoinTokenRecord): void {
    const before = this.joinTokens.get(after.id);
    this.joinTokens.set(after.id, after);
    this.deadlines.schedule(`join-token/${after.id}`, after.spec.expireTimeMs + joinTokenRetentionMs);
    this.note({ kind: "join-token", id: after.id, before, after });
  }

  removeJoinToken(id: JoinTokenId): void {
    const before = required(this.joinTokens.get(id), "join token to remove");
    this.joinTokens.delete(id);
    this.deadlines.cancel(`join-token/${id}`);
    this.note({ kind: "join-token", id, before, after: undefined });
  }

  putCredential(after: CredentialRecord): void {
    const before = this.credentials.get(after.id);
    this.credentials.set(after.id, after);
    this.deadlines.schedule(`credential/${after.id}`, after.endTimeMs);
    this.note({ kind: "credential", id: after.id, before, after });
  }

  removeCredential(id: HostId): void {
    const before = required(this.credentials.get(id), "credential to remove");
    this.credentials.delete(id);
    this.deadlines.cancel(`credential/${id}`);
    this.note({ kind: "credential", id, before, after: undefined });
  }
}
