/** Amounts of memory and disk: MiB on the wire, 8GiB for people. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

const unitsMib: Readonly<Record<string, number>> = { "": 1, m: 1, g: 1024, t: 1024 * 1024 };

/** The wire counts MiB in 32 bits. */
const sizeMaxMib = 2 ** 32 - 1;

/** MiB of a text such as 8192, 8192MiB, 8GiB, 1.5G; units count in powers of 1024. */
export function parseSizeMib(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([mgt])(?:i?b)?)?$/i.exec(text.trim());
  const sizeMib = Number(match?.[1]) * (unitsMib[match?.[2]?.toLowerCase() ?? ""] ?? Number.NaN);
  if (!Number.isInteger(sizeMib) || sizeMib <= 0 || sizeMib > sizeMaxMib) {
    throw new InvalidArgumentError("Write a size in MiB, such as 8192, or with a unit, such as 8GiB.");
  }
  return sizeMib;
}

/** Such as "512 MiB", "8 GiB", "1.5 TiB". */
export function formatSize(sizeMib: number): string {
  if (sizeMib < 1024) return `${sizeMib} MiB`;
  if (sizeMib < 1024 * 1024) return `${rounded(sizeMib / 1024)} GiB`;
  return `${rounded(sizeMib / 1024 / 1024)} TiB`;
}

/** Such as "512 B", "8 KiB", "1.5 GiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${rounded(bytes / 1024)} KiB`;
  return formatSize(Number(rounded(bytes / 1024 / 1024)));
}

function rounded(amount: number): string {
  return String(Math.round(amount * 10) / 10);
}
