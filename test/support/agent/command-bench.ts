/** Commands on a fake Mac with a fake clock, without a link: what the server would hear is in `updates`. */
import { type CommandContext, defaultCommandTuning } from "../../../agent/commands/command-context.ts";
import { type CommandMemory, createCommandMemory } from "../../../agent/commands/command-memory.ts";
import { CommandDispatcher } from "../../../agent/commands/dispatcher.ts";
import { defaultHostWatchTuning, HostWatch } from "../../../agent/inventory/host-watch.ts";
import { Inventory } from "../../../agent/inventory/inventory.ts";
import { createVolatileJournal, type Journal } from "../../../agent/journal/journal.ts";
import { hasEnded } from "../../../agent/journal/journal-state.ts";
import type { Command, CommandUpdate } from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { silentLogger } from "../../../shared/log.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeParallels } from "./fake-parallels.ts";

export interface EarlierRun {
  readonly clock?: FakeClock;
  readonly parallels?: FakeParallels;
  readonly journal?: Journal;
  readonly onAccept?: (command: Command) => void;
}

export class CommandBench {
  readonly clock: FakeClock;
  readonly parallels: FakeParallels;
  readonly inventory = new Inventory();
  readonly memory: CommandMemory;
  readonly updates: CommandUpdate[] = [];
  readonly watch: HostWatch;
  readonly dispatcher: CommandDispatcher;
  /** Ports of the guests that accept connections, as "host:port". */
  readonly openPorts = new Set<string>();
  parallelCreates = 2;

  /** @param earlier what an earlier run of the agent has left. */
  constructor(earlier: EarlierRun = {}) {
    this.clock = earlier.clock ?? new FakeClock();
    this.parallels = earlier.parallels ?? new FakeParallels();
    this.memory = createCommandMemory(earlier.journal ?? createVolatileJournal());
    this.watch = new HostWatch({
      parallels: this.parallels,
      inventory: this.inventory,
      clock: this.clock,
      log: silentLogger,
      tuning: defaultHostWatchTuning,
      onChanged: () => undefined,
      onFirstList: () => undefined,
      onEventsFlowing: () => undefined,
      onCallFailed: () => undefined,
    });
    this.dispatcher = new CommandDispatcher({
      parallels: this.parallels,
      hostVms: this.watch,
      probeTcp: (target) => this.#probe(target),
      memory: this.memory,
      clock: this.clock,
      log: silentLogger,
      tuning: defaultCommandTuning,
      parallelCreates: () => this.parallelCreates,
      onAccept: earlier.onAccept ?? (() => undefined),
      report: (update) => this.updates.push(update),
      onCallFailed: () => undefined,
    });
    this.dispatcher.beginSession(1);
    this.watch.start();
  }

  updatesOf(command: Command): CommandUpdate[] {
    return this.updates.filter((update) => update.commandId === command.id);
  }

  endOf(command: Command): CommandUpdate | undefined {
    return this.updatesOf(command).find(hasEnded);
  }

  /** Handles the command and moves the time until it has ended. */
  async run(command: Command, limitMs = 600_000): Promise<CommandUpdate> {
    this.dispatcher.handle(command);
    return this.finish(command, limitMs);
  }

  /** Moves the time until the command has ended. */
  async finish(command: Command, limitMs = 600_000): Promise<CommandUpdate> {
    await this.clock.advanceUntil(() => this.endOf(command) !== undefined, limitMs);
    const end = this.endOf(command);
    if (end === undefined) throw new Error("the command has not ended");
    return end;
  }

  async close(): Promise<void> {
    await this.dispatcher.close();
    this.watch.close();
  }

  #probe({ host, port }: Parameters<CommandContext["probeTcp"]>[0]): Promise<void> {
    return this.openPorts.has(`${host}:${port}`) ? Promise.resolve() : Promise.reject(new Error("connection refused"));
  }
}
