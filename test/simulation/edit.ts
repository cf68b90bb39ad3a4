/**
 * A mistake as a change of the code's own text, made while the code is loaded: the file stays as it is. It holds for the
 * thread in which it is made, and for what that thread loads from then on.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  /** What stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const root = new URL("../../", import.meta.url);

/** Why the edit cannot be made: the code has changed since it was written. Nothing if it can. */
export function findMisfit({ file, find }: Edit): string | undefined {
  const count = readFileSync(new URL(file, root), "utf8").split(find).length - 1;
  return count === 1 ? undefined : `${file} has ${count} times what the edit looks for: ${find}`;
}

export function makeEdits(edits: readonly Edit[]): void {
  const byUrl = new Map<string, Edit[]>();
  for (const edit of edits) {
    const misfit = findMisfit(edit);
    if (misfit !== undefined) throw new Error(misfit);
    const { href } = new URL(edit.file, root);
    byUrl.set(href, [...(byUrl.get(href) ?? []), edit]);
  }
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const own = byUrl.get(url);
      if (own === undefined || loaded.source === undefined || loaded.source === null) return loaded;
      const text = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
      return {
        ...loaded,
        source: own.reduce((edited, { find, replace }) => edited.replace(find, () => replace), text),
      };
    },
  });
}
