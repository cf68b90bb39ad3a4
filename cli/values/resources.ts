/** CPU, memory and disk in one line. */
import type { Resources } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { formatSize } from "./size.ts";

/** Such as "4 CPU, 8 GiB memory, 64 GiB disk"; what is 0 is left out. */
export function formatResources(resources: Resources | undefined): string {
  if (resources === undefined) return "";
  const { cpuCount, memoryMib, diskMib } = resources;
  const parts = [
    cpuCount > 0 && `${cpuCount} CPU`,
    memoryMib > 0 && `${formatSize(memoryMib)} memory`,
    diskMib > 0 && `${formatSize(diskMib)} disk`,
  ];
  return parts.filter((part) => part !== false).join(", ");
}

/** Such as "3/8". */
export function formatShare(used: number | undefined, total: number | undefined): string {
  return `${used ?? 0}/${total ?? 0}`;
}

/** Such as "12/64 GiB", or "1.5/24 TiB" of a whole pool, or "-" when nothing is known. */
export function formatSizeShare(usedMib: number | undefined, totalMib: number | undefined): string {
  if (totalMib === undefined || totalMib === 0) return "-";
  const [unit, unitMib] = totalMib < tibFromMib ? ["GiB", 1024] : ["TiB", 1024 * 1024];
  const inUnit = (sizeMib: number): string => {
    const size = sizeMib / unitMib;
    return String(unit === "TiB" && size >= 100 ? Math.round(size) : Math.round(size * 10) / 10);
  };
  return `${inUnit(usedMib ?? 0)}/${inUnit(totalMib)} ${unit}`;
}

/** From 10 TiB on, GiB have five digits, and a tenth of a TiB is precise enough; from 100 on, a TiB is. */
const tibFromMib = 10 * 1024 * 1024;
