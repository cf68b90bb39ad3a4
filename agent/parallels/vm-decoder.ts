/** The VM object: keys and texts of `prlctl`, put into numbers and plain names. */
import { isIP } from "node:net";
import type { ParallelsVm } from "./api.ts";
import {
  decodeArray,
  decodeObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  requireText,
  textAt,
} from "./decoders.ts";
import { parseSizeMib, plainId } from "./quantities.ts";

/**
 * The list of VMs. One that cannot be told apart makes the whole list an error: a VM left out would be taken for gone.
 * The service may list a VM twice; the later entry counts.
 */
export function decodeVms(value: unknown): readonly ParallelsVm[] {
  const vms = decodeArray(value, "the list of VMs").map((item) => decodeVm(item));
  return [...new Map(vms.map((vm) => [vm.id, vm])).values()];
}

export function decodeVm(value: unknown): ParallelsVm {
  const vm = decodeObject(value, "a VM");
  const hardware = objectAt(vm, "Hardware");
  const name = textAt(vm, "Name");
  const os = textAt(vm, "OS");
  return {
    id: plainId(requireText(vm, "ID", "a VM")),
    name,
    state: textAt(vm, "State") || "unknown",
    os,
    isMacos: os === "macosx" || /mac/i.test(name),
    cpuCount: numberAt(objectAt(hardware, "cpu"), "cpus"),
    memoryMib: parseSizeMib(objectAt(hardware, "memory")["size"]),
    diskMib: parseSizeMib(objectAt(hardware, "hdd0")["size"]),
    ipAddresses: readIpAddresses(vm),
    uptimeSeconds: Math.max(0, Math.floor(numberAt(vm, "Uptime"))),
  };
}

/** Both places that the service writes addresses to; an address not known yet stands there as "-" or as nothing. */
function readIpAddresses(vm: JsonObject): readonly string[] {
  const listed = objectsAt(objectAt(vm, "Network"), "ipAddresses").map((address) => textAt(address, "ip"));
  const addresses = [textAt(vm, "internal_ip_address"), ...listed].map((address) => address.trim());
  return [...new Set(addresses.filter((address) => isIP(address) !== 0))];
}
