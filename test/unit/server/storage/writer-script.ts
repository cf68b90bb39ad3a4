/**
 * A process that writes to a data directory as fast as it can until it is killed or a commit fails. What it stores at each
 * revision is known from `writer-batches.ts`; on its standard output it says, line by line, what was acknowledged.
 */
import { writeSync } from "node:fs";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import { StoreError } from "../../../../server/storage/store.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { randomIds } from "../../../../shared/ids.ts";
import { batchAt } from "./writer-batches.ts";

const [directory = "", mode = "write"] = process.argv.slice(2);

// A write beyond the limit on a file's size shall fail like any other, instead of ending the process.
process.on("SIGXFSZ", () => {});

const store = await openLevelStore(directory, { ids: randomIds, clock: systemClock });
let { revision } = await store.load();
say(`loaded ${revision}`);
if (mode === "hold") process.stdin.resume();
else await writeUntilFailure();

async function writeUntilFailure(): Promise<void> {
  for (;;) {
    try {
      await store.commit(batchAt(revision + 1));
      revision += 1;
      say(`acknowledged ${revision}`);
    } catch (error) {
      say(`failed ${kindOf(error)}`);
      await store.commit(batchAt(revision + 1)).catch((again: unknown) => say(`refused ${kindOf(again)}`));
      await store.close();
      return;
    }
  }
}

function kindOf(error: unknown): string {
  return error instanceof StoreError ? error.kind : String(error);
}

/** Synchronous, so that nothing that was acknowledged is lost in a buffer of this process. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
