/** What the machine itself tells, without the local service. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** The time since the machine's start, by which a later process of the same start can go on. */
export interface BootClock {
  /** Changes with every start of the machine; empty when it cannot be told. */
  readonly bootId: string;
  /** In ms since the machine's start; nobody can set it. */
  uptimeMs(): number;
}

/** This machine's. */
export async function readBootClock(): Promise<BootClock> {
  return { bootId: await readBootId(), uptimeMs: readUptimeMs };
}

/** In the words of the link; the agent is built for no other machines. */
export function readArchitecture(): "arm64" | "x86_64" {
  return process.arch === "arm64" ? "arm64" : "x86_64";
}

/**
 * Milliseconds since the machine's start (on a Mac those in which it slept included), the same in every process until the
 * next start; nobody can set them. `performance.now()` would begin anew with each process.
 */
export function readUptimeMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** What changes with every start of the machine: the kernel's own id of it. Empty when the machine does not tell. */
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
