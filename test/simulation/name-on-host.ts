import type { VmRecord } from "../../server/pool/vm.ts";
import { hostVmName } from "../../shared/ids.ts";

/** The name of a VM of the pool's in Parallels Desktop: one that was adopted keeps the one that it has there. */
export function nameOnHost(vm: VmRecord): string {
  const { source } = vm.image;
  return source.kind === "adopted" ? (vm.sight?.name ?? source.name) : hostVmName(vm.uid, vm.attempt);
}
