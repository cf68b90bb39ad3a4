import { required } from "../../../shared/assert.ts";
import type { Random } from "../../../simulator/random.ts";
import { pick } from "../../simulation/pick.ts";

/** One of the values, of which there must be one, each as likely as the others. */
export function pickOne<T>(values: readonly T[], random: Random): T {
  return required(pick(random, values), "value to pick");
}
