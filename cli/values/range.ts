/** Ranges and shares as people write them: 200..900, 5%. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

/** At least and at most; a single number is both. */
export type Range = readonly [least: number, most: number];

export function parseRange(text: string): Range {
  const match = /^(\d{1,7})(?:\.\.(\d{1,7}))?$/.exec(text);
  const least = Number(match?.[1]);
  const most = Number(match?.[2] ?? match?.[1]);
  if (match === null || least > most) throw new InvalidArgumentError("Write a range such as 200..900, or one number.");
  return [least, most];
}

/** From 0 to 1. */
export function parseShare(text: string): number {
  const match = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text);
  const share = Number(match?.[1]) / 100;
  if (match === null || share > 1) throw new InvalidArgumentError("Write a share from 0% to 100%.");
  return share;
}
