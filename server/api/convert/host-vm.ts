/** VMs as Parallels Desktop shows them on a host: the pool's own, as last seen, and those of others. */
import { create } from "@bufbuild/protobuf";
import { type HostVm as HostVmMessage, HostVmSchema } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import type { HostId } from "../../../shared/ids.ts";
import type { HostVm } from "../../pool/host.ts";
import type { HostSight, VmRecord } from "../../pool/vm.ts";
import { nameOf } from "../resource-name.ts";

export function toForeignHostVm(host: HostId, vm: HostVm): HostVmMessage {
  return create(HostVmSchema, {
    id: vm.id,
    displayName: vm.name,
    state: vm.state,
    os: vm.os,
    resources: { ...vm.resources },
    ipAddresses: [...vm.ipAddresses],
    macos: vm.isMacos,
    uptimeSeconds: vm.uptimeSeconds,
    host: nameOf("hosts", host),
  });
}

export function toOwnedHostVm(host: HostId, vm: VmRecord, sight: HostSight): HostVmMessage {
  return create(HostVmSchema, {
    id: sight.id,
    displayName: sight.name,
    state: sight.state,
    os: vm.image.guestOs === "macos" ? "macosx" : vm.image.guestOs,
    resources: { ...vm.resources },
    ipAddresses: [...sight.ipAddresses],
    vm: nameOf("vms", vm.id),
    macos: vm.image.guestOs === "macos",
    host: nameOf("hosts", host),
  });
}
