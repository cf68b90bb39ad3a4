/** Builds, as clients of the pool live them: a VM is asked for, waited for, used, and deleted. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  VmSpec_OnHostLost as OnHostLost,
  VmStatus_State as State,
  type VmSpecSchema,
} from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { AccountedVm } from "../../support/e2e/account.ts";
import type { PoolClient } from "../../support/e2e/pool-client.ts";
import type { LoadClient } from "../load-client.ts";
import { pause } from "../pause.ts";

/** What became of the builds' VMs. */
export class BuildCounts {
  /** VMs whose create was acknowledged. */
  created = 0;
  /** Of these: came up for their build. */
  ran = 0;
  /** Deleted before they came up, as their build was given up. */
  givenUp = 0;
  /** VMs that still run at the end. */
  readonly kept: AccountedVm[] = [];
  /** Why VMs failed, and how many. */
  readonly failures = new Map<string, number>();
}

export interface BuildOptions {
  readonly client: PoolClient;
  readonly load: LoadClient;
  readonly counts: BuildCounts;
}

const spec: MessageInitShape<typeof VmSpecSchema> = {
  template: "templates/linux",
  // What goes wrong on one host is tried on another, up to the most that can be asked for.
  retryAttempts: 10,
  onHostLost: OnHostLost.REPLACE,
};

/** Of the builds, so many are given up at once, want their VM stopped and started, and leave it running. */
const shares = { givenUp: 0.1, wishful: 0.3, kept: 0.05 } as const;
/** How long a build takes, in ms. */
const workMaxMs = 6_000;
const wishesMax = 3;
/** How long one call waits for a VM, in ms. */
const waitMs = 5_000;

/** Rejects when it is told something that no build should be told. */
export async function runBuild(id: string, { client, load, counts }: BuildOptions): Promise<void> {
  const { random } = load;
  const vm = await load.create(id, spec);
  counts.created += 1;
  if (random.chance(shares.givenUp)) {
    counts.givenUp += 1;
    await pause(random.between(0, workMaxMs / 2));
    await load.delete(vm);
    return;
  }
  const failure = await untilUp(id, client, load);
  if (failure === undefined) {
    counts.ran += 1;
    await use(vm, load);
    if (random.chance(shares.kept)) {
      counts.kept.push(vm);
      return;
    }
  } else {
    counts.failures.set(failure, (counts.failures.get(failure) ?? 0) + 1);
  }
  await load.delete(vm);
}

/** Resolves when the VM runs, or with why it failed. */
async function untilUp(id: string, client: PoolClient, load: LoadClient): Promise<string | undefined> {
  const request = {
    name: `vms/${id}`,
    states: [State.RUNNING, State.FAILED],
    timeout: durationFromMs(waitMs),
  };
  for (;;) {
    try {
      const { vm } = await load.persist(() => client.vms.waitVm(request));
      return vm?.status?.state === State.FAILED ? vm.status.message : undefined;
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== Code.DeadlineExceeded) throw error;
    }
  }
}

async function use(vm: AccountedVm, load: LoadClient): Promise<void> {
  const { random } = load;
  await pause(random.between(0, workMaxMs));
  if (!random.chance(shares.wishful)) return;
  for (let left = Math.ceil(random.between(0, wishesMax)); left > 0; left -= 1) {
    await load.wish(vm);
    await pause(random.between(0, workMaxMs / wishesMax));
  }
}
