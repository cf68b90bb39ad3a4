/**
 * Refuses changes of the protos that would break a client or an agent of before. Compares with the branch or commit that is
 * named (`npm run breaking -- main`), by default with the commit before; a checkout without one has nothing to compare with.
 */
import { spawnSync } from "node:child_process";

const root = new URL("..", import.meta.url);
const against = process.argv[2] ?? "HEAD~1";
const known = spawnSync("git", ["rev-parse", "--verify", "--quiet", `${against}:proto`], { cwd: root });
if (known.status !== 0) {
  process.stdout.write(`breaking changes: no protos at ${against} to compare with\n`);
} else {
  const { status } = spawnSync("buf", ["breaking", "proto", "--against", `.git#ref=${against},subdir=proto`], {
    cwd: root,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}
