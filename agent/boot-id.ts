/** What changes with every start of the machine: the kernel's own id of it. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** The id, or nothing when the machine does not tell; then the server has to do without. */
export async function readBootId(): Promise<string> {
  try {
    if (process.platform === "darwin") {
      const { stdout } = await promisify(execFile)("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], {
        timeout: 2_000,
      });
      return stdout.trim();
    }
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    return "";
  }
}
