/**
 * One client under whose load servers are killed: makes a VM under a request id, changes what it wants of it, deletes it,
 * and begins again. A call whose answer does not come is repeated as it is, once there is a server again.
 */
import { isConnectionLost } from "../../cli/server-failure.ts";
import { VmSpec_Wanted as Wanted } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { Random } from "../../simulator/random.ts";
import type { Account, AccountedVm } from "../support/e2e/account.ts";
import type { PoolClient } from "../support/e2e/pool-client.ts";
import { pause } from "./pause.ts";

export interface LoadClientOptions {
  /** What its VMs are called, before their number. */
  readonly prefix: string;
  readonly client: PoolClient;
  readonly account: Account;
  readonly random: Random;
  /** Resolves when there is a server to ask. */
  readonly whenServing: () => Promise<void>;
  /** Ends it, between two calls. */
  readonly signal: AbortSignal;
}

/** The longest pause between two calls, in ms: 64 clients make some thousand calls a second, and two cores serve them. */
const pauseMaxMs = 40;
/** Changes of one VM between its create and its delete. */
const wishesMax = 3;
/** A VM in so many outlives the next ones, so that some live through many rounds. */
const keptShare = 0.1;

/** Runs until the signal is aborted. Rejects when it is told something that no client should be told. */
export async function runLoadClient(options: LoadClientOptions): Promise<void> {
  const { prefix, account, random, signal } = options;
  let kept: AccountedVm | undefined;
  for (let number = 1; !signal.aborted; number += 1) {
    const vm = account.open(`${prefix}-${number}`);
    await createVm(options, vm);
    for (let left = Math.floor(random.between(0, wishesMax + 1)); left > 0 && !signal.aborted; left -= 1) {
      await wish(options, vm);
    }
    // One at a time, or the Macs would be full of them.
    const doomed = random.chance(keptShare) ? kept : vm;
    if (doomed !== vm) kept = vm;
    if (doomed !== undefined && !signal.aborted) await deleteVm(options, doomed);
  }
}

async function createVm(options: LoadClientOptions, vm: AccountedVm): Promise<void> {
  const { vms } = options.client;
  const request = { vmId: vm.id, requestId: `create-${vm.id}`, vm: { spec: { template: "templates/linux" } } };
  const answer = await persist(options, () => vms.createVm(request));
  if (answer.vm === undefined) throw new Error("an answer without a VM");
  vm.created(answer.vm);
  options.account.acknowledgedCount += 1;
}

async function wish(options: LoadClientOptions, vm: AccountedVm): Promise<void> {
  const { vms } = options.client;
  const name = `vms/${vm.id}`;
  const isStop = options.random.chance(0.5);
  const wanted = isStop ? Wanted.STOPPED : Wanted.RUNNING;
  vm.asks(wanted);
  await persist(options, async () => {
    await (isStop ? vms.stopVm({ name, force: true }) : vms.startVm({ name }));
  });
  vm.acknowledged(wanted);
  options.account.acknowledgedCount += 1;
}

async function deleteVm(options: LoadClientOptions, vm: AccountedVm): Promise<void> {
  const { vms } = options.client;
  vm.isDeleteAsked = true;
  await persist(options, () => vms.deleteVm({ name: `vms/${vm.id}`, force: true }));
  vm.isDeleteAcknowledged = true;
  options.account.acknowledgedCount += 1;
}

async function persist<T>({ random, whenServing }: LoadClientOptions, call: () => Promise<T>): Promise<T> {
  await pause(random.between(0, pauseMaxMs));
  for (;;) {
    await whenServing();
    try {
      return await call();
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      await pause(1);
    }
  }
}
