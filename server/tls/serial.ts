/** Serial numbers of certificates: six bytes of the time of issue, by which a revocation knows older ones, and ten random ones. */
import { randomBytes } from "node:crypto";

/** In hex. */
export function makeSerial(nowMs: number): string {
  return Math.floor(nowMs).toString(16).padStart(12, "0") + randomBytes(10).toString("hex");
}

/** When the certificate was issued, in ms. */
export function issueTimeMs(serial: string): number {
  return Number.parseInt(serial.padStart(32, "0").slice(0, 12), 16);
}
