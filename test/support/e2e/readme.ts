/** The commands that a section of the README tells people to type, as they stand there. */
import { readFileSync } from "node:fs";

const readme = new URL("../../../README.md", import.meta.url);

/**
 * @param heading of the section, without its signs.
 * @param untilText where in the section to stop.
 * @returns one command each, continued lines joined.
 */
export function commandsOf(heading: string, untilText: string): readonly string[] {
  const text = readFileSync(readme, "utf8");
  const start = text.indexOf(`\n## ${heading}\n`);
  const end = text.indexOf(untilText, start);
  if (start < 0 || end < 0) throw new Error(`the README has no section "${heading}" up to "${untilText}"`);
  const blocks = text.slice(start, end).matchAll(/^```sh\n(?<commands>.*?)^```$/gms);
  return [...blocks].flatMap(({ groups = {} }) =>
    (groups["commands"] ?? "")
      .replaceAll(/\\\n\s*/g, "")
      .split("\n")
      .filter((line) => line !== ""),
  );
}
