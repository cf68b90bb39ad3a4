/** When nothing more is asked and nothing goes wrong any more: whether all is as it should be. */
import { VmStatus_State as State, type Vm, VmSpec_Wanted as Wanted } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { Account } from "../support/e2e/account.ts";
import type { MacWatch } from "../support/e2e/mac-watch.ts";

/** Whether the VM is what is wanted of it. */
export function isSettled({ spec, status }: Vm): boolean {
  if (spec?.wanted === Wanted.RUNNING) return status?.state === State.RUNNING;
  return spec?.wanted === Wanted.STOPPED && status?.state === State.STOPPED;
}

/** What is wrong with the VMs on the Macs, if they should have those of the account that live, each once, and no other. */
export function macComplaints(watch: MacWatch, account: Account): readonly string[] {
  const owned = new Set(account.living.map(({ uid }) => uid));
  const present = new Set(watch.uids());
  return [
    ...[...present].filter((uid) => !owned.has(uid)).map((uid) => `${uid} is on a Mac, and nobody owns it`),
    ...[...owned].filter((uid) => uid === undefined || !present.has(uid)).map((uid) => `${uid} is on no Mac`),
    ...watch.standingTwice.map((uid) => `${uid} is on the Macs twice`),
  ];
}
