/** Keeps a sample of what this version stores, for all later versions to be tested with: to be run once a release. */
import { readVersion } from "../cli/version.ts";
import { writeKeptData } from "../test/support/records/kept-data.ts";

const version = readVersion();
try {
  process.stdout.write(`${await writeKeptData(version)}\n`);
} catch (error) {
  if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  process.stderr.write(`data of version ${version} is kept already, and what was released does not change\n`);
  process.exitCode = 1;
}
