/** All scenarios, in the order in which they run. */
import type { Scenario } from "./scenario.ts";
import { createToRunning } from "./scenarios/create-to-running.ts";
import { idleCreate } from "./scenarios/idle-create.ts";
import { slotReuse } from "./scenarios/slot-reuse.ts";

export const scenarios: readonly Scenario[] = [idleCreate, createToRunning, slotReuse];
