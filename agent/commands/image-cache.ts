/** What the Mac has in its cache of catalog images. Only a fresh list counts. */
import type { CachedManifest } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { untilAnswered } from "./retry.ts";

/** As the list names it: catalogs keep ids in upper case, however they are asked for. */
export async function findCachedImages(
  context: CommandContext,
  wanted: { readonly catalogId: string; readonly version: string },
): Promise<readonly CachedManifest[]> {
  const images = await untilAnswered(context, () => context.parallels.listCachedImages(context.signal));
  return images.filter(
    ({ catalogId, version }) =>
      catalogId.toUpperCase() === wanted.catalogId.toUpperCase() && version === wanted.version,
  );
}
