/**
 * Proves that the published package works: packs it, installs it in an empty folder as a user would, and runs the program
 * from there.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "meridian-package-"));
const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
try {
  const packed: unknown = JSON.parse(run("npm", ["pack", "--json", "--silent", "--pack-destination", scratch], root));
  const name = nameOf(packed);
  run("npm", ["init", "-y", "--silent"], scratch);
  run("npm", ["install", "--silent", "--no-audit", "--no-fund", join(scratch, name)], scratch);
  const program = join(scratch, "node_modules", ".bin", "meridian");
  const version = run(process.execPath, [program, "--version"], scratch).trim();
  const story = run(process.execPath, [program, "demo", "--once", "--hosts", "1"], scratch);
  if (!story.includes("no Mac shows one of them any more"))
    throw new Error(`the packed demo did not end well:\n${story}`);
  process.stdout.write(`package: ${name} installs and runs (version ${version})\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** npm answers with a list of what it packed, or with an object of lists by package. */
function nameOf(packed: unknown): string {
  const found = /"filename":"([^"]+\.tgz)"/.exec(JSON.stringify(packed))?.[1];
  if (found === undefined) throw new Error("npm pack did not say what it packed");
  return found;
}
