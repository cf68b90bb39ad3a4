/** What a process has used, as Linux tells it. Elsewhere nothing is known, and the metrics that need it are left out. */
import { existsSync, readFileSync } from "node:fs";
import { required } from "../../shared/assert.ts";
import { momentMs } from "./moment.ts";

export interface ProcessUsage {
  readonly atMs: number;
  /** CPU time of all threads since its start, in ms. */
  readonly cpuMs: number;
  /** Memory that it holds now, and the most that it ever held, in MiB. */
  readonly rssMib: number;
  readonly peakRssMib: number;
  /** What it has caused to be written to disks. */
  readonly writtenKib: number;
}

/** Linux counts CPU time in hundredths of a second, whatever the kernel's own beat is. */
const tickMs = 10;

/** Nothing where there is no /proc. */
export function readUsage(pid: number): ProcessUsage | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The program's name, in brackets, may hold spaces; what follows does not. User and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    atMs: momentMs(),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs,
    rssMib: statusKib(status, "VmRSS") / 1024,
    peakRssMib: statusKib(status, "VmHWM") / 1024,
    writtenKib:
      Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))?.[1] ?? Number.NaN) / 1024,
  };
}

/** The share of one core that was used between two moments, in percent. */
export function cpuPercent(from: ProcessUsage, to: ProcessUsage): number {
  return (100 * (to.cpuMs - from.cpuMs)) / (to.atMs - from.atMs);
}

/** How many files a process may have open; infinite if that cannot be told. */
export function openFilesMax(): number {
  if (!existsSync("/proc/self/limits")) return Number.POSITIVE_INFINITY;
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
  return soft === undefined || soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

function statusKib(status: string, field: string): number {
  return Number(required(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1], field));
}
