/** The program's version, from the package that it is part of. */
import { existsSync, readFileSync } from "node:fs";

/** The package stands one level above the sources, two above the compiled program. */
const candidates = ["../package.json", "../../package.json"];

export function readVersion(): string {
  for (const candidate of candidates) {
    const url = new URL(candidate, import.meta.url);
    if (!existsSync(url)) continue;
    const content: unknown = JSON.parse(readFileSync(url, "utf8"));
    if (typeof content === "object" && content !== null && "version" in content) return String(content.version);
  }
  return "unknown";
}
