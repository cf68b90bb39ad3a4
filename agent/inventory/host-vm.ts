/** A VM of this Mac, in the words of the link. */
import type { CachedImage, HostVm } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CachedManifest, ParallelsVm } from "../parallels/api.ts";
import { wholeNumber, wholeNumber32 } from "../wire.ts";

export function toHostVm(vm: ParallelsVm): HostVm {
  return {
    id: vm.id,
    name: vm.name,
    state: vm.state,
    os: vm.os,
    resources: {
      cpuCount: wholeNumber32(vm.cpuCount),
      memoryMib: wholeNumber(vm.memoryMib),
      diskMib: wholeNumber(vm.diskMib),
    },
    ipAddresses: [...vm.ipAddresses],
    macos: vm.isMacos,
    uptimeSeconds: wholeNumber(vm.uptimeSeconds),
  };
}

export function toCachedImage(manifest: CachedManifest): CachedImage {
  return {
    catalogId: manifest.catalogId,
    version: manifest.version,
    architecture: manifest.architecture,
    sizeMib: wholeNumber(manifest.sizeMib),
  };
}

/** Whether two sightings of a VM tell the server the same. The uptime does not count: it grows in every sighting. */
export function isSameVm(left: ParallelsVm, right: ParallelsVm): boolean {
  return (
    left.name === right.name &&
    left.state === right.state &&
    left.os === right.os &&
    left.isMacos === right.isMacos &&
    left.cpuCount === right.cpuCount &&
    left.memoryMib === right.memoryMib &&
    left.diskMib === right.diskMib &&
    left.ipAddresses.length === right.ipAddresses.length &&
    left.ipAddresses.every((address, index) => address === right.ipAddresses[index])
  );
}

/** Whether two listings of the cache say the same, in whatever order. */
export function areSameImages(left: readonly CachedManifest[], right: readonly CachedManifest[]): boolean {
  const keys = (images: readonly CachedManifest[]): string =>
    JSON.stringify(images.map((image) => [image.catalogId, image.version, image.architecture, image.sizeMib]).sort());
  return keys(left) === keys(right);
}
