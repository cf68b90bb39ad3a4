/** All scenarios, in the order in which they run. */
import type { Scenario } from "./scenario.ts";
import { backlog100k } from "./scenarios/backlog.ts";
import { burst500, burst2000 } from "./scenarios/burst.ts";
import { churn256 } from "./scenarios/churn.ts";
import { createToRunning } from "./scenarios/create-to-running.ts";
import { hosts10k } from "./scenarios/hosts.ts";
import { idleCreate } from "./scenarios/idle-create.ts";
import { restart10k } from "./scenarios/restart.ts";
import { slotReuse } from "./scenarios/slot-reuse.ts";

export const scenarios: readonly Scenario[] = [
  idleCreate,
  createToRunning,
  slotReuse,
  burst500,
  burst2000,
  churn256,
  backlog100k,
  hosts10k,
  restart10k,
];
