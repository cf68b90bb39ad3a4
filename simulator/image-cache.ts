/** The catalog images that a Mac keeps: a second pull of the same manifest takes its image from here. */
import type { CachedImage } from "./cached-image.ts";
import type { CatalogManifest } from "./catalog.ts";
import type { MacEvents } from "./mac-events.ts";

export class ImageCache {
  readonly #events: MacEvents;
  readonly #images = new Map<string, CachedImage>();

  constructor(events: MacEvents) {
    this.#events = events;
  }

  all(): readonly CachedImage[] {
    return [...this.#images.values()];
  }

  get totalMib(): number {
    let total = 0;
    for (const image of this.#images.values()) total += image.sizeMib;
    return total;
  }

  find(manifest: CatalogManifest): CachedImage | undefined {
    return this.#images.get(keyOf(manifest));
  }

  add(manifest: CatalogManifest, wallMs: number): CachedImage {
    const image: CachedImage = {
      manifest,
      sizeMib: imageSizeMib(manifest),
      cachedAtMs: wallMs,
      lastUsedAtMs: wallMs,
      useCount: 0,
    };
    this.#images.set(keyOf(manifest), image);
    this.#events.emit({ type: "cache-item-added", image });
    return image;
  }

  /** Removes all, all of a catalog id, or one version of it; returns how many that were. */
  remove(catalogId?: string, version?: string): number {
    let count = 0;
    for (const [key, image] of this.#images) {
      if (catalogId !== undefined && image.manifest.catalogId.toUpperCase() !== catalogId.toUpperCase()) continue;
      if (version !== undefined && image.manifest.version !== version) continue;
      this.#images.delete(key);
      this.#events.emit({ type: "cache-item-removed", image });
      count += 1;
    }
    return count;
  }
}

export function imageSizeMib(manifest: CatalogManifest): number {
  return manifest.sizeMib ?? 20_480;
}

function keyOf(manifest: CatalogManifest): string {
  return `${manifest.catalogId.toUpperCase()}\n${manifest.version}\n${manifest.architecture}`;
}
