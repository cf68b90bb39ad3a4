/**
 * One client under whose load servers are killed: what it asks for it asks for until it is answered, and writes the answer
 * into the account. A call whose answer does not come is repeated as it is, once there is a server again.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { isConnectionLost } from "../../cli/server-failure.ts";
import { type VmSpecSchema, VmSpec_Wanted as Wanted } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { Random } from "../../simulator/random.ts";
import type { Account, AccountedVm } from "../support/e2e/account.ts";
import type { PoolClient } from "../support/e2e/pool-client.ts";
import { pause } from "./pause.ts";

export interface LoadClientOptions {
  readonly client: PoolClient;
  readonly account: Account;
  readonly random: Random;
  /** Resolves when there is a server to ask. */
  readonly whenServing: () => Promise<void>;
}

/** The longest pause before a call, in ms: 64 clients make some thousand calls a second, and two cores serve them. */
const pauseMaxMs = 40;

export class LoadClient {
  readonly random: Random;
  private readonly options: LoadClientOptions;

  constructor(options: LoadClientOptions) {
    this.options = options;
    this.random = options.random;
  }

  async create(id: string, spec: MessageInitShape<typeof VmSpecSchema>): Promise<AccountedVm> {
    const { account, client } = this.options;
    const vm = account.open(id);
    const request = { vmId: id, requestId: `create-${id}`, vm: { spec } };
    const answer = await this.persist(() => client.vms.createVm(request));
    if (answer.vm === undefined) throw new Error("an answer without a VM");
    vm.created(answer.vm);
    account.acknowledgedCount += 1;
    return vm;
  }

  /** Wants it stopped, or running, as chance has it. */
  async wish(vm: AccountedVm): Promise<void> {
    const { vms } = this.options.client;
    const name = `vms/${vm.id}`;
    const isStop = this.random.chance(0.5);
    const wanted = isStop ? Wanted.STOPPED : Wanted.RUNNING;
    vm.asks(wanted);
    await this.persist(async () => {
      await (isStop ? vms.stopVm({ name, force: true }) : vms.startVm({ name }));
    });
    vm.acknowledged(wanted);
    this.options.account.acknowledgedCount += 1;
  }

  async delete(vm: AccountedVm): Promise<void> {
    const { account, client } = this.options;
    vm.isDeleteAsked = true;
    await this.persist(() => client.vms.deleteVm({ name: `vms/${vm.id}`, force: true }));
    vm.isDeleteAcknowledged = true;
    account.acknowledgedCount += 1;
  }

  /** Calls until an answer comes. Rejects with what a server says against it. */
  async persist<T>(call: () => Promise<T>): Promise<T> {
    await pause(this.random.between(0, pauseMaxMs));
    for (;;) {
      await this.options.whenServing();
      try {
        return await call();
      } catch (error) {
        if (!isConnectionLost(error)) throw error;
        await pause(1);
      }
    }
  }
}
