import { openLevelStore } from "../../../server/storage/level-store.ts";
import { systemClock } from "../../../shared/clock.ts";
import { randomIds } from "../../../shared/ids.ts";
import { makeScratchDirectory } from "./scratch-directory.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract("on disk", async () => {
  const scratch = await makeScratchDirectory();
  return {
    open: () => openLevelStore(scratch.path, { ids: randomIds, clock: systemClock }),
    destroy: scratch.remove,
  };
});
