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

/** Such as "12/64 GiB", or "-" when nothing is known. */
export function formatSizeShare(usedMib: number | undefined, totalMib: number | undefined): string {
  if (totalMib === undefined || totalMib === 0) return "-";
  const gib = (sizeMib: number): string => String(Math.round((sizeMib / 1024) * 10) / 10);
  return `${gib(usedMib ?? 0)}/${gib(totalMib)} GiB`;
}
