/** What stands in files, as bytes: for tests that look for what must not be there. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** The files below the directory that hold one of the needles, each as "file: needle". */
export async function findInFiles(
  directory: string,
  needles: readonly string[],
  isMeant: (path: string) => boolean = () => false,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(directory, path);
    if (!entry.isFile() || isMeant(name)) continue;
    const bytes = await readFile(path);
    found.push(...needles.filter((needle) => bytes.includes(needle)).map((needle) => `${name}: ${needle}`));
  }
  return found;
}
