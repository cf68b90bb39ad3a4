/**
 * What the agent tells about its Mac, put together from the inventory, the survey and the command memory at the moment of
 * telling: the Hello, the heartbeat, and whether there is news that calls for one of them at once.
 */
import type { Clock } from "../shared/clock.ts";
import type {
  CommandUpdate,
  Heartbeat,
  Hello,
  HostCondition,
  HostFacts,
  Settings,
} from "../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandMemory } from "./commands/command-memory.ts";
import type { Inventory } from "./inventory/inventory.ts";
import { sumUsage } from "./inventory/usage.ts";
import type { DialCounter } from "./link/dial-counter.ts";
import { areSameConditions, evaluateConditions } from "./preflight/conditions.ts";
import { areSameFacts, describeHost } from "./preflight/host-facts.ts";
import type { Survey } from "./preflight/survey.ts";
import { wholeNumber } from "./wire.ts";

const protocolVersion = 1;

/** What commands in guests wrote and the Hello may repeat, in bytes; a message of gRPC is at most 4 MiB. What does not fit, a
 * repeated command asks for. */
const helloOutputMaxBytes = 1024 * 1024;

export interface Identity {
  readonly hostId: string;
  readonly agentRunId: string;
  readonly bootId: string;
  readonly agentVersion: string;
  readonly architecture: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface HostStateOptions {
  readonly identity: Identity;
  readonly inventory: Inventory;
  readonly survey: Survey;
  readonly memory: CommandMemory;
  readonly dials: DialCounter;
  readonly clock: Clock;
}

export class HostState {
  readonly #options: HostStateOptions;
  #settings: Settings = { heartbeatPeriodMs: 0, parallelCreates: 0, diskReserveMib: 0 };
  #toldConditions: readonly HostCondition[] = [];
  #toldFacts: HostFacts | undefined;

  constructor(options: HostStateOptions) {
    this.#options = options;
  }

  takeSettings(settings: Settings): void {
    this.#settings = settings;
  }

  /** How many VMs may be made at once: as the server says, else one. */
  get parallelCreates(): number {
    return Math.max(1, this.#settings.parallelCreates);
  }

  /** The Hello, with a whole inventory unless the Mac could not be listed yet: an empty one would say that all is gone. */
  hello(): Hello {
    const { dials, identity, inventory, survey, memory } = this.#options;
    this.#toldFacts = describeHost(survey.result, identity);
    inventory.wantWhole();
    const whole = inventory.take();
    return {
      protocolVersion,
      hostId: identity.hostId,
      facts: this.#toldFacts,
      bootId: identity.bootId,
      agentRunId: identity.agentRunId,
      inventory: whole,
      heartbeat: this.heartbeat(),
      commands: withinBytes(memory.unsettled(), helloOutputMaxBytes),
      labels: { ...identity.labels },
      dialNumber: dials.next(),
    };
  }

  heartbeat(): Heartbeat {
    const { inventory, survey } = this.#options;
    const usage = sumUsage(inventory.vms());
    const conditions = this.conditions();
    this.#toldConditions = conditions;
    return {
      inUse: usage.inUse,
      diskFreeMib: wholeNumber(survey.result.disk.value?.freeMib ?? 0),
      diskTotalMib: wholeNumber(survey.result.disk.value?.totalMib ?? 0),
      macosGuests: usage.macosGuests,
      conditions,
      inventorySequence: inventory.sequence,
    };
  }

  conditions(): HostCondition[] {
    return evaluateConditions(this.#options.survey.result, {
      nowMs: this.#options.clock.monotonicMs(),
      diskReserveMib: this.#settings.diskReserveMib,
    });
  }

  /** Whether a condition is not as the last heartbeat had it. */
  get hasConditionNews(): boolean {
    return !areSameConditions(this.#toldConditions, this.conditions());
  }

  /** Whether the facts are not as the last Hello had them; no news before the first. */
  get hasFactNews(): boolean {
    const { survey, identity } = this.#options;
    return this.#toldFacts !== undefined && !areSameFacts(this.#toldFacts, describeHost(survey.result, identity));
  }
}

/** The updates, without those whose outputs no longer fit. */
function withinBytes(updates: readonly CommandUpdate[], bytesMax: number): CommandUpdate[] {
  let bytes = 0;
  return updates.filter((update) => {
    const size = (update.exec?.stdout.length ?? 0) + (update.exec?.stderr.length ?? 0);
    if (bytes + size > bytesMax) return false;
    bytes += size;
    return true;
  });
}
