/**
 * The Mac's facts as the service sends them, with its mistakes: only running VMs count as used, and the disk's numbers are
 * read from the wrong column, so that "available" is what is used. Right are `prl_home_*` and the answer on disk space.
 */

import type { CachedImage } from "../cached-image.ts";
import { imageSizeMib } from "../image-cache.ts";
import type { SimulatedMac } from "../mac.ts";
import { osVersion, parallelsVersion, serviceReserved, vmHome } from "../mac-facts.ts";
import type { Vm } from "../vm.ts";
import { externalAddress } from "./wire-vm.ts";

type Wire = Readonly<Record<string, unknown>>;

const cacheFolder = "/Users/ci/.prl-devops/cache";
const cacheKeepFreeMib = 5_000;

export function toWireHardware(mac: SimulatedMac): Wire {
  const { facts, vms } = mac;
  const running = vms.filter((vm) => vm.state === "running");
  const others = vms.filter((vm) => vm.state !== "running");
  const inUse = sumOf(running);
  return {
    cpu_type: facts.architecture,
    cpu_brand: facts.chip,
    devops_version: facts.serviceVersion,
    os_name: "macOS",
    os_version: osVersion,
    parallels_desktop_version: parallelsVersion,
    parallels_desktop_licensed: mac.wasLicensedAtStart,
    external_ip_address: externalAddress,
    is_reverse_proxy_enabled: false,
    is_log_streaming_enabled: true,
    system_reserved: {
      logical_cpu_count: serviceReserved.cpuCount,
      memory_size: serviceReserved.memoryMib,
      disk_count: serviceReserved.diskMib,
    },
    total: {
      logical_cpu_count: facts.cpuCount,
      memory_size: facts.memoryMib,
      disk_count: mac.diskFreeMib,
    },
    total_available: {
      logical_cpu_count: facts.cpuCount - serviceReserved.cpuCount - inUse.logical_cpu_count,
      memory_size: facts.memoryMib - serviceReserved.memoryMib - inUse.memory_size,
      disk_count: facts.diskMib - mac.diskFreeMib,
      prl_home_free_size: Math.floor(mac.diskFreeMib),
      prl_home_total_size: Math.floor(facts.diskMib),
    },
    total_in_use: { ...inUse, mac_vms_running: running.filter((vm) => vm.countsAsMacos).map((vm) => vm.id) },
    total_reserved: sumOf(others),
    cache_config: toWireCacheConfig(mac),
    enabled_modules: ["api", "host", "cache"],
  };
}

export function toWireDiskSpace(mac: SimulatedMac): Wire {
  const freeMib = Math.floor(mac.diskFreeMib);
  return {
    cache_folder_size: freeMib,
    parallels_home_size: freeMib,
    given_path_size: freeMib,
    prl_home_path: vmHome,
  };
}

export function toWireLicence(mac: SimulatedMac): Wire {
  return {
    status: mac.licence === "valid" ? "ACTIVE" : mac.licence.toUpperCase(),
    serial: "XXXX-XXXX-XXXX-XXXX-XXXX",
    expiration: "2030-01-01 00:00:00",
    main_period_ends_at: "2030-01-01 00:00:00",
    grace_period_ends_at: "2030-01-15 00:00:00",
    cpu_total: 32,
    max_memory: 131_072,
    edition: "business",
    is_trial: "no",
    is_volume: "yes",
    deferred_activation: "no",
    uuid: `{11111111-2222-3333-4444-${String(mac.facts.index).padStart(12, "0")}}`,
  };
}

export function toWireCache(mac: SimulatedMac, images: readonly CachedImage[]): Wire {
  return {
    total_size: images.reduce((sum, image) => sum + image.sizeMib, 0),
    manifests: images.map(toWireCachedManifest),
    cache_config: toWireCacheConfig(mac),
  };
}

/** What an event says of an image. */
export function toWireCacheItem(image: CachedImage): Wire {
  const { manifest } = image;
  return {
    catalog_id: manifest.catalogId.toUpperCase(),
    version: manifest.version,
    architecture: manifest.architecture,
    cache_size: image.sizeMib,
    cache_type: "folder",
    cached_date: new Date(image.cachedAtMs).toISOString(),
  };
}

function toWireCachedManifest(image: CachedImage): Wire {
  const { manifest } = image;
  const id = manifest.catalogId.toUpperCase();
  const file = `${id.toLowerCase()}-${manifest.version}`;
  return {
    name: `${id}-${manifest.architecture.toUpperCase()}-${manifest.version.toUpperCase()}`,
    id: file,
    catalog_id: id,
    architecture: manifest.architecture,
    version: manifest.version,
    type: (manifest.os ?? "macosx") === "macosx" ? "macvm" : "pvm",
    tags: [],
    // In bytes, whereas the size in the cache is in MB.
    size: (manifest.diskMib ?? 65_536) * 2 ** 20,
    pack_size: imageSizeMib(manifest) * 2 ** 20,
    pack_filename: `${file}.pdpack`,
    metadata_filename: `${file}.meta`,
    minimum_requirements: {
      cpu: manifest.cpuCount ?? 4,
      memory: manifest.memoryMib ?? 8_192,
      disk: manifest.diskMib ?? 65_536,
    },
    cache_date: new Date(image.cachedAtMs).toISOString(),
    cache_local_path: `${cacheFolder}/${file}`,
    cache_metadata_name: `${file}.meta`,
    cache_file_name: file,
    cache_type: "folder",
    cache_size: image.sizeMib,
    cache_used_count: image.useCount,
    cache_last_used: new Date(image.lastUsedAtMs).toISOString(),
  };
}

function toWireCacheConfig(mac: SimulatedMac): Wire {
  return {
    enabled: true,
    folder: cacheFolder,
    keep_free_disk_space: cacheKeepFreeMib,
    max_size: Math.floor(mac.diskFreeMib),
    allow_above_free_disk_space: false,
  };
}

function sumOf(vms: readonly Vm[]): {
  readonly logical_cpu_count: number;
  readonly memory_size: number;
  readonly disk_count: number;
} {
  return {
    logical_cpu_count: vms.reduce((sum, vm) => sum + vm.cpuCount, 0),
    memory_size: vms.reduce((sum, vm) => sum + vm.memoryMib, 0),
    disk_count: vms.reduce((sum, vm) => sum + vm.diskMib, 0),
  };
}
