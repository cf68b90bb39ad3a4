/** Whole numbers within bounds. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

/** A parser for a flag; both ends belong to the range. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}
