/** The catalogs that a simulated Mac can reach: manifests from its options, and the string that says where one is. */
import { serviceFailed } from "./service-error.ts";

export type Architecture = "arm64" | "x86_64";

export interface CatalogManifest {
  /** Compared in any case: a catalog keeps it in upper case. */
  readonly catalogId: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** Of the guest, in the words of Parallels Desktop. Default "macosx". */
  readonly os?: string;
  /** To be downloaded. Default 20480. */
  readonly sizeMib?: number;
  /** What the VM is made with. Defaults 4, 8192 and 65536. */
  readonly cpuCount?: number;
  readonly memoryMib?: number;
  readonly diskMib?: number;
}

export interface CatalogWish {
  readonly catalogId: string;
  /** Or "latest": the last one in the options. */
  readonly version: string;
  /** The Mac's own: a catalog is asked for that, whatever the request says. */
  readonly architecture: Architecture;
}

/**
 * Finds the manifest of a pull.
 * @throws ServiceError in the catalog's words if there is none.
 */
export function findManifest(manifests: readonly CatalogManifest[], wish: CatalogWish): CatalogManifest {
  const found = manifests.findLast(
    (manifest) =>
      manifest.catalogId.toUpperCase() === wish.catalogId.toUpperCase() &&
      manifest.architecture === wish.architecture &&
      (wish.version === "latest" || manifest.version === wish.version),
  );
  if (found !== undefined) return found;
  throw serviceFailed(
    404,
    `catalog manifest ${wish.catalogId.toUpperCase()} version ${wish.version} architecture ${wish.architecture} not found`,
  );
}

/**
 * The host of a connection string such as `host=user:password@https://catalog.example.com`.
 * @throws ServiceError if it names none.
 */
export function parseConnectionHost(connection: string): string {
  for (const part of connection.split(";")) {
    const [key, ...rest] = part.split("=");
    if (key?.trim().toLowerCase() !== "host") continue;
    const value = rest.join("=");
    // Credentials stand before the last "@".
    const host = value.slice(value.lastIndexOf("@") + 1).trim();
    if (host !== "") return host;
  }
  throw serviceFailed(400, "missing or invalid connection host");
}
