#!/usr/bin/env node
// Starts Meridian: the sources as they are in a checkout, the compiled program in an installed package.
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `meridian: this is Node ${process.versions.node}, and Meridian needs Node 24 or newer. ` +
      "In a checkout, run it with `npx meridian`; elsewhere, install a newer Node.\n",
  );
  process.exit(1);
}
// A start is mostly compiling; in a folder of the user's own, since others could write into a shared one.
const cacheHome = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
nodeModule.enableCompileCache(join(cacheHome, "meridian", "compiled"));

const compiled = new URL("../dist/cli/main.js", import.meta.url);
const source = new URL("../cli/main.ts", import.meta.url);
// The sources win where both are, so that a checkout never runs an old build.
const { main } = await import((existsSync(source) ? source : compiled).href);
await main(process.argv);
