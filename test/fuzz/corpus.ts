/** Inputs that are kept: each was found by fuzzing, or put there by hand, and is tried before all others. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("corpus", import.meta.url));

export interface KeptInput {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export function keptInputs(target: string): readonly KeptInput[] {
  const own = join(folder, target);
  if (!existsSync(own)) return [];
  return readdirSync(own)
    .sort()
    .map((name) => readKept(join(own, name)));
}

export function readKept(path: string): KeptInput {
  return { path, bytes: readFileSync(path) };
}

/** The target whose input the file is: the folder that it lies in. */
export function targetOf(path: string): string {
  return basename(dirname(path));
}

/** @returns where it was written. */
export function keep(target: string, bytes: Uint8Array): string {
  const own = join(folder, target);
  mkdirSync(own, { recursive: true });
  const path = join(own, `found-${createHash("sha256").update(bytes).digest("hex").slice(0, 12)}`);
  writeFileSync(path, bytes);
  return path;
}
