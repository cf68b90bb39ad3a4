/**
 * A VM as `prlctl` prints it and the service passes it on: keys with blanks, sizes as strings with a unit, the uptime as a
 * string of seconds, and a few lower-case keys of the service's own.
 */
import type { SimulatedMac } from "../mac.ts";
import { macUser, toolsVersion } from "../mac-facts.ts";
import { vmFolder } from "../registration.ts";
import type { Vm } from "../vm.ts";
import { unusedVmFields } from "./wire-vm-constants.ts";

/** What the service says of the outside address of every simulated Mac. */
export const externalAddress = "203.0.113.10";

export type WireVm = Readonly<Record<string, unknown>>;

export function toWireVm(vm: Vm, mac: SimulatedMac): WireVm {
  const folder = vmFolder(vm);
  const isArm = mac.facts.architecture === "arm64";
  const isRunning = vm.state === "running";
  return {
    ID: vm.id,
    host_external_ip_address: externalAddress,
    internal_ip_address: vm.address,
    user: macUser,
    Name: vm.name,
    Description: vm.description,
    Type: vm.isMacosGuest && isArm ? "APPLE_VZ_VM" : "VM",
    State: vm.state,
    OS: vm.os,
    Template: "no",
    Uptime: String(uptimeSeconds(vm, mac)),
    "Home path": `${folder}/config.pvs`,
    Home: `${folder}/`,
    GuestTools: isRunning
      ? { state: "installed", version: toolsVersion }
      : { state: "possibly_installed", version: "" },
    ...unusedVmFields,
    "BIOS type": isArm ? "efi-arm64" : "efi64",
    Hardware: hardwareOf(vm, { folder, isArm }),
    Network: {
      Conditioned: "off",
      Inbound: { Bandwidth: "", "Packet Loss": "0%", Delay: "0ms" },
      Outbound: { Bandwidth: "", "Packet Loss": "0%", Delay: "0ms" },
      ipAddresses: vm.address === "" ? [] : [{ type: "ipv4", ip: vm.address }],
    },
  };
}

/** How long it has been running; 0 when it does not. */
export function uptimeSeconds(vm: Vm, mac: SimulatedMac): number {
  return vm.state === "running" ? Math.floor((mac.clock.monotonicMs() - vm.runningSinceMs) / 1_000) : 0;
}

function hardwareOf(vm: Vm, place: { readonly folder: string; readonly isArm: boolean }): WireVm {
  return {
    cpu: {
      cpus: vm.cpuCount,
      auto: "off",
      "VT-x": true,
      hotplug: false,
      accl: "high",
      mode: "64",
      type: place.isArm ? "arm" : "x86",
    },
    memory: { size: `${vm.memoryMib}Mb`, auto: "off", hotplug: false },
    video: {
      "adapter-type": place.isArm ? "apple" : "virtio",
      size: "0Mb",
      "3d-acceleration": "highest",
      "vertical-sync": "yes",
      "high-resolution": "yes",
      "high-resolution-in-guest": "yes",
      "native-scaling-in-guest": "no",
      "automatic-video-memory": "on",
    },
    memory_quota: { auto: "auto" },
    hdd0: {
      enabled: true,
      port: "sata:0",
      image: `${place.folder}/disk0.img`,
      type: "expanded",
      size: `${vm.diskMib}Mb`,
      "online-compact": "off",
    },
    cdrom0: { enabled: false, port: "sata:1", image: "", state: "disconnected" },
    usb: { enabled: true },
    net0: { enabled: true, type: "shared", mac: vm.macAddress, card: "virtio" },
    sound0: { enabled: true, output: "Default", mixer: "Default" },
  };
}
