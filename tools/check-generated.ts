/** Proves that the committed generated code is what the protos give: generates anew and compares. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "meridian-generated-"));
try {
  for (const entry of ["proto", "vendor", "buf.yaml", "buf.gen.yaml", "buf.gen.link.yaml"]) {
    cpSync(join(root, entry), join(scratch, entry), { recursive: true });
  }
  for (const template of ["buf.gen.yaml", "buf.gen.link.yaml"]) {
    execFileSync("buf", ["generate", "--template", template], { cwd: scratch, stdio: "inherit" });
  }
  const fresh = readTree(join(scratch, "shared/gen"));
  const committed = readTree(join(root, "shared/gen"));
  const differing = [...new Set([...fresh.keys(), ...committed.keys()])].filter(
    (path) => fresh.get(path) !== committed.get(path),
  );
  if (differing.length > 0) {
    process.stderr.write(
      `generated code is not current; run npm run generate and commit:\n${differing.map((path) => `  shared/gen/${path}\n`).join("")}`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function readTree(directory: string): ReadonlyMap<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(directory, path), readFileSync(path, "utf8")];
    }),
  );
}
