/**
 * Backups of the store, written while it serves: one at a time, since each holds back the store's clean-up, and only as long
 * as its reader reads.
 */
import type { Cancellable, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Uid } from "../../shared/ids.ts";
import { encodeBackup } from "../storage/backup.ts";
import type { Store, StoreSnapshot } from "../storage/store.ts";
import { backupStallMaxMs } from "./limits.ts";

export interface BackupsOptions {
  readonly store: Pick<Store, "snapshot">;
  readonly poolUid: Uid;
  readonly clock: Clock;
}

export class Backups {
  private readonly options: BackupsOptions;
  private isUnderWay = false;

  constructor(options: BackupsOptions) {
    this.options = options;
  }

  /**
   * The bytes of a backup of everything that is durable now. Throws LIMIT_REACHED while another one is being written, and
   * when its reader takes nothing for `backupStallMaxMs`; `StoreError` "damaged" when what is stored is not whole.
   */
  async *write(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    if (this.isUnderWay) throw anotherUnderWay();
    this.isUnderWay = true;
    try {
      const backup = new OpenBackup(await this.options.store.snapshot(), this.options);
      try {
        yield* backup.chunks(signal);
      } finally {
        await backup.close();
      }
    } finally {
      this.isUnderWay = false;
    }
  }
}

/** One backup. While its reader reads it cannot act, so a timer closes it when the reader never comes back. */
class OpenBackup {
  private readonly clock: Clock;
  private readonly snapshot: StoreSnapshot;
  private readonly bytes: AsyncGenerator<Uint8Array, void>;
  private stall: Cancellable | undefined;
  private closing: Promise<void> | undefined;

  constructor(snapshot: StoreSnapshot, { poolUid, clock }: BackupsOptions) {
    this.clock = clock;
    this.snapshot = snapshot;
    this.bytes = encodeBackup(snapshot, { poolUid, createTime: new Date(clock.wallMs()).toISOString() });
  }

  async *chunks(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      signal.throwIfAborted();
      const chunk = await this.bytes.next();
      if (chunk.done === true) return;
      this.stall = this.clock.after(backupStallMaxMs, () => void this.close().catch(() => undefined));
      yield chunk.value;
      this.stall.cancel();
      if (this.closing !== undefined) throw tooSlow();
    }
  }

  close(): Promise<void> {
    this.stall?.cancel();
    this.closing ??= this.release();
    return this.closing;
  }

  private async release(): Promise<void> {
    try {
      await this.bytes.return();
    } finally {
      await this.snapshot.close();
    }
  }
}

function anotherUnderWay(): MeridianError {
  return new MeridianError(
    "LIMIT_REACHED",
    "another backup is being written, and there is one at a time; try again later",
    {
      metadata: { limit: "backups", most: "1" },
      retryAfterMs: 10_000,
    },
  );
}

function tooSlow(): MeridianError {
  const message = `the backup was cut off, since nothing of it was read for ${backupStallMaxMs / 1000} s; make another one`;
  return new MeridianError("LIMIT_REACHED", message, {
    metadata: { limit: "backup_stall_ms", most: String(backupStallMaxMs) },
  });
}
