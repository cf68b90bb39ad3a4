/** Says that an agent's message cannot be taken, and why; the session that it came in ends with these words. */
export class Unacceptable extends Error {
  override readonly name = "Unacceptable";
}

export function refuseUnless(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Unacceptable(message);
}
