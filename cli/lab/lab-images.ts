/** What the simulated Macs carry: golden VMs that can be cloned, and manifests of a catalog that can be pulled. */
import type { CatalogManifest } from "../../simulator/catalog.ts";
import type { VmDescription } from "../../simulator/vm.ts";

export const goldenMacos: VmDescription = {
  name: "golden-macos",
  os: "macosx",
  cpuCount: 4,
  memoryMib: 8192,
  diskMib: 65_536,
};
export const goldenLinux: VmDescription = {
  name: "golden-linux",
  os: "ubuntu",
  cpuCount: 2,
  memoryMib: 4096,
  diskMib: 32_768,
};

/** Guests of Macs with an Intel chip run no macOS here: the catalog has it for Apple silicon alone. */
export const labCatalog: readonly CatalogManifest[] = [
  { catalogId: "MACOS-15-CI", version: "v1", architecture: "arm64", os: "macosx", sizeMib: 20_480 },
  { catalogId: "MACOS-15-CI", version: "v2", architecture: "arm64", os: "macosx", sizeMib: 22_528 },
  {
    catalogId: "UBUNTU-24",
    version: "v1",
    architecture: "arm64",
    os: "ubuntu",
    sizeMib: 4096,
    cpuCount: 2,
    memoryMib: 4096,
    diskMib: 32_768,
  },
  {
    catalogId: "UBUNTU-24",
    version: "v1",
    architecture: "x86_64",
    os: "ubuntu",
    sizeMib: 4096,
    cpuCount: 2,
    memoryMib: 4096,
    diskMib: 32_768,
  },
];
