/** What the service says of the Mac itself: hardware, disk, licence, cached images. */
import type { CachedManifest, DiskSpace, HostHardware, Licence } from "./api.ts";
import { decodeObject, type JsonObject, malformed, objectAt, objectsAt, requirePositive, textAt } from "./decoders.ts";
import { parseSizeMib } from "./quantities.ts";

/**
 * Totals and what the service keeps for itself. What is in use or free is left out on purpose: the service counts running
 * VMs only, and its disk numbers are wrong on macOS (free is read from the column of used space).
 */
export function decodeHardware(value: unknown): HostHardware {
  const hardware = decodeObject(value, "the hardware");
  const total = objectAt(hardware, "total");
  const reserved = objectAt(hardware, "system_reserved");
  return {
    architecture: decodeArchitecture(textAt(hardware, "cpu_type")),
    chip: textAt(hardware, "cpu_brand"),
    osVersion: textAt(hardware, "os_version"),
    parallelsVersion: textAt(hardware, "parallels_desktop_version"),
    serviceVersion: textAt(hardware, "devops_version"),
    isLicensed: hardware["parallels_desktop_licensed"] === true,
    address: textAt(hardware, "external_ip_address"),
    totalCpuCount: Math.floor(requirePositive(total, "logical_cpu_count", "the hardware's total")),
    totalMemoryMib: Math.floor(requirePositive(total, "memory_size", "the hardware's total")),
    reservedCpuCount: parseSizeMib(reserved["logical_cpu_count"]),
    reservedMemoryMib: parseSizeMib(reserved["memory_size"]),
    reservedDiskMib: parseSizeMib(reserved["disk_count"]),
  };
}

function decodeArchitecture(cpuType: string): HostHardware["architecture"] {
  if (/^(?:arm64|aarch64)/i.test(cpuType)) return "arm64";
  if (/^(?:x86_64|amd64|i386)/i.test(cpuType)) return "x86_64";
  throw malformed("the hardware's cpu_type is neither arm64 nor x86_64");
}

/** Free and total where VMs are kept, as far as the hardware tells: the two numbers of it that are measured there. */
export function decodeHomeDiskSpace(value: unknown): DiskSpace {
  const available = objectAt(decodeObject(value, "the hardware"), "total_available");
  return {
    freeMib: parseSizeMib(available["prl_home_free_size"]),
    totalMib: parseSizeMib(available["prl_home_total_size"]),
  };
}

/** Free MiB where VMs are kept, of the reply to POST /config/diskspace; some versions write "538000 MB", others 538000. */
export function decodeFreeDiskMib(value: unknown): number {
  const reply = decodeObject(value, "the disk space");
  if (!("parallels_home_size" in reply)) throw malformed("the disk space has no parallels_home_size");
  return parseSizeMib(reply["parallels_home_size"]);
}

/** Two shapes: `status` "ACTIVE" of newer versions, `state` "valid" of older ones. */
export function decodeLicence(value: unknown): Licence {
  const licence = decodeObject(value, "the licence");
  const state = textAt(licence, "status") || textAt(licence, "state");
  if (state === "") throw malformed("the licence has no state");
  return { state, isValid: /^(?:active|valid)$/i.test(state), hardwareId: textAt(licence, "hardware_id") };
}

export function decodeCache(value: unknown): readonly CachedManifest[] {
  return objectsAt(decodeObject(value, "the cache"), "manifests")
    .filter((manifest) => textAt(manifest, "catalog_id") !== "")
    .map(decodeCachedManifest);
}

function decodeCachedManifest(manifest: JsonObject): CachedManifest {
  return {
    catalogId: textAt(manifest, "catalog_id"),
    version: textAt(manifest, "version"),
    architecture: textAt(manifest, "architecture"),
    // The cache counts in MB; the image's own `size` is in bytes or in MB, depending on how it came into the catalog.
    sizeMib: parseSizeMib(manifest["cache_size"]),
  };
}
