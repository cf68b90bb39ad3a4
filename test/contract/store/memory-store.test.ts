import { MemoryDisk, MemoryStore } from "../../../server/storage/memory-store.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract("in memory", async () => {
  const disk = new MemoryDisk();
  return { open: async () => new MemoryStore(disk), destroy: async () => {} };
});
