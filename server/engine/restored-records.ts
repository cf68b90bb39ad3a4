/**
 * What a record of a backup becomes when it is restored. After the backup the pool went on, and agents remember what they were
 * told then: the epochs of sessions, the generations of VMs, the ids of commands. All of these go on far beyond that.
 */
import { parseRecordKey } from "../storage/key-layout.ts";
import { decodeRecord, encodeRecord } from "../storage/record-format.ts";
import type { StoreEntry } from "../storage/store.ts";
import { hostKind, vmKind } from "./records.ts";

/** The entry with everything that it counts higher by `step`. Throws `StoreError` for a record that cannot be read. */
export function renewRestoredEntry(entry: StoreEntry, step: number): StoreEntry {
  const { kind } = parseRecordKey(entry.key);
  if (kind === "host") {
    const host = decodeRecord(hostKind, entry);
    const removalCount = host.removalCount + step;
    return { key: entry.key, value: encodeRecord(hostKind, { ...host, epoch: host.epoch + step, removalCount }) };
  }
  if (kind !== "vm") return entry;
  const vm = decodeRecord(vmKind, entry);
  const renewed = {
    ...vm,
    generation: vm.generation + step,
    // As far behind the generation as it was.
    observedGeneration: vm.observedGeneration + step,
    // A command that is under way keeps its id, by which the agent knows it; those that follow get new ones.
    commandCount: vm.commandCount + step,
    ...(vm.command === undefined ? {} : { command: { ...vm.command, generation: vm.command.generation + step } }),
  };
  return { key: entry.key, value: encodeRecord(vmKind, renewed) };
}
