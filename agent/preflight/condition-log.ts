/** Says in the log when a condition of this Mac stops or begins to hold: once each, not with every look. */
import type { HostCondition } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";

export class ConditionLog {
  readonly #log: Logger;
  readonly #broken = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The types of the conditions that hold again. */
  note(conditions: readonly HostCondition[]): readonly string[] {
    const recovered: string[] = [];
    for (const { type, holds, reason, message } of conditions) {
      if (holds === !this.#broken.has(type)) continue;
      if (holds) {
        this.#broken.delete(type);
        recovered.push(type);
        this.#log.info({ condition: type, reason }, "host condition holds again");
      } else {
        this.#broken.add(type);
        this.#log.warn({ condition: type, reason, detail: message }, "host condition does not hold");
      }
    }
    return recovered;
  }
}
