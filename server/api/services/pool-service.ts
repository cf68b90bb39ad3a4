/** PoolService: totals, the queue, the version, settings, and backups. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type BackupResponseSchema,
  type PoolSchema,
  PoolService,
  type PoolTotalsSchema,
  type ResourceTotalsSchema,
} from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import type { PoolView } from "../../pool/view.ts";
import { type Architecture, vmStates } from "../../pool/vm.ts";
import type { ApiContext } from "../context.ts";
import { architectures, vmStateValues } from "../convert/enums.ts";
import { isPlaceable } from "../convert/host.ts";
import { toTimestamp } from "../convert/time.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { getSettings, updateSettings } from "./settings.ts";

export function poolService(context: ApiContext): ServiceBinding {
  return bindService(PoolService, {
    getPool: async () => ({ pool: await context.engine.read((view) => toPool(view, context)) }),
    getSettings: async () => ({ settings: await getSettings(context) }),
    updateSettings: async (request) => ({ settings: await updateSettings(context, request) }),
    backup: (_request, { signal }) => backup(context, signal),
  });
}

async function* backup(
  { backups }: ApiContext,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof BackupResponseSchema>, void> {
  for await (const chunk of backups.write(signal)) yield { chunk };
}

function toPool(view: PoolView, context: ApiContext): MessageInitShape<typeof PoolSchema> {
  const oldestMs = oldestWaitMs(view);
  return {
    totals: totalsOf(view),
    vmStates: vmStates.flatMap((state) => {
      const count = view.countVms(state);
      return count === 0 ? [] : [{ state: vmStateValues[state], count }];
    }),
    queueLength: view.waiting.size,
    ...(oldestMs === undefined ? {} : { oldestPendingTime: toTimestamp(oldestMs) }),
    version: context.version,
    revision: BigInt(view.revision),
    startTime: toTimestamp(context.startTimeMs),
  };
}

function oldestWaitMs(view: PoolView): number | undefined {
  let oldestMs: number | undefined;
  for (const id of view.waiting) {
    const sinceMs = view.vms.get(id)?.stateSinceMs;
    if (sinceMs !== undefined && (oldestMs === undefined || sinceMs < oldestMs)) oldestMs = sinceMs;
  }
  return oldestMs;
}

interface Amounts {
  cpuCount: number;
  memoryMib: number;
  diskMib: number;
}

interface Totals {
  hosts: number;
  hostsReady: number;
  hostsPlaceable: number;
  capacity: Amounts;
  allocated: Amounts;
  macosSlots: number;
  macosSlotsUsed: number;
}

function totalsOf(view: PoolView): MessageInitShape<typeof PoolTotalsSchema>[] {
  const byArchitecture = new Map<Architecture, Totals>();
  for (const host of view.hosts.values()) {
    // A host that has never connected has not said what it is.
    if (host.facts === undefined) continue;
    const { architecture } = host.facts;
    const totals = byArchitecture.get(architecture) ?? noTotals();
    byArchitecture.set(architecture, totals);
    totals.hosts += 1;
    if (host.state === "READY") totals.hostsReady += 1;
    if (!isPlaceable(view, host)) continue;
    totals.hostsPlaceable += 1;
    addLedger(totals, view.ledger(host.id));
  }
  return Array.from(byArchitecture, ([architecture, totals]) => ({
    ...totals,
    architecture: architectures[architecture],
    capacity: toMessage(totals.capacity),
    allocated: toMessage(totals.allocated),
  })).sort((a, b) => a.architecture - b.architecture);
}

function toMessage({ cpuCount, memoryMib, diskMib }: Amounts): MessageInitShape<typeof ResourceTotalsSchema> {
  return { cpuCount: BigInt(cpuCount), memoryMib: BigInt(memoryMib), diskMib: BigInt(diskMib) };
}

function addLedger(totals: Totals, ledger: ReturnType<PoolView["ledger"]>): void {
  totals.capacity.cpuCount += ledger.cpuCapacity;
  totals.capacity.memoryMib += ledger.memoryCapacityMib;
  totals.capacity.diskMib += ledger.diskCapacityMib;
  totals.allocated.cpuCount += ledger.cpuTaken;
  totals.allocated.memoryMib += ledger.memoryTakenMib;
  totals.allocated.diskMib += ledger.diskTakenMib;
  totals.macosSlots += ledger.macosSlots;
  totals.macosSlotsUsed += ledger.macosTaken;
}

function noTotals(): Totals {
  return {
    hosts: 0,
    hostsReady: 0,
    hostsPlaceable: 0,
    capacity: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    allocated: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    macosSlots: 0,
    macosSlotsUsed: 0,
  };
}
