import type { CatalogManifest } from "./catalog.ts";

/** The image of a manifest as it lies in a Mac's cache. */
export interface CachedImage {
  readonly manifest: CatalogManifest;
  readonly sizeMib: number;
  readonly cachedAtMs: number;
  lastUsedAtMs: number;
  useCount: number;
}
