import type { Random } from "../../simulator/random.ts";

/** One of the values, each as likely as the others; nothing if there is none. */
export function pick<T>(random: Random, values: readonly T[]): T | undefined {
  return values[Math.floor(random.fraction() * values.length)];
}
