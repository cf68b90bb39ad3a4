/**
 * Turns the agent's own values into numbers that the wire can carry: whole, not negative and within its integers. What the
 * local service reports is not trusted to be any of these, and an encoder that throws would cost the whole session.
 */

/** The nearest whole number at or below `value`, at least 0; 0 for what is no number. */
export function wholeNumber(value: number): number {
  if (!Number.isFinite(value) || value <= 0) return 0;
  return Math.min(Math.floor(value), Number.MAX_SAFE_INTEGER);
}

/** As `wholeNumber`, for fields of 32 bits. */
export function wholeNumber32(value: number): number {
  return Math.min(wholeNumber(value), 2 ** 31 - 1);
}
