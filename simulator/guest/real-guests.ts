/**
 * Guests with an inside: they listen on real ports at their own addresses while they run, and run commands for real, each
 * VM in a scratch folder of its own. What a guest does not have (ports, or commands) is answered as without an inside.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { createTableGuests } from "./command-table.ts";
import type { CommandOutcome, Guest, GuestWorld } from "./guest-world.ts";
import { Listener } from "./listener.ts";
import { Scratch } from "./scratch.ts";

export interface RealGuestsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** TCP ports that each guest listens on. */
  readonly ports: readonly number[];
  /** Whether commands are run; else they are looked up. */
  readonly runsCommands: boolean;
}

export function createRealGuests(options: RealGuestsOptions): GuestWorld {
  return new RealGuests(options);
}

class RealGuests implements GuestWorld {
  readonly #options: RealGuestsOptions;
  readonly #table: GuestWorld;
  /** Of each VM that has booted, open or closed: the next boot waits until the port is free. */
  readonly #listening = new Map<string, readonly Listener[]>();
  /** Of each VM that ran a command. */
  readonly #scratches = new Map<string, Scratch>();
  readonly #removals = new Set<Promise<void>>();

  constructor(options: RealGuestsOptions) {
    this.#options = options;
    this.#table = createTableGuests(options.clock);
  }

  async boot(guest: Guest): Promise<void> {
    const earlier = this.#listening.get(guest.vmId) ?? [];
    this.shutDown(guest.vmId);
    const listeners = this.#options.ports.map(
      (port, at) => new Listener({ address: guest.address, port, after: earlier[at]?.ended }),
    );
    this.#listening.set(guest.vmId, listeners);
    const failures = (await Promise.all(listeners.map((listener) => listener.opened))).filter(
      (error) => error !== undefined,
    );
    for (const error of failures) {
      this.#options.log.warn({ err: error, address: guest.address }, "simulated guest cannot listen");
    }
  }

  shutDown(vmId: string): void {
    for (const listener of this.#listening.get(vmId) ?? []) listener.close();
    this.#scratches.get(vmId)?.killAll();
  }

  remove(vmId: string): void {
    this.shutDown(vmId);
    this.#listening.delete(vmId);
    const scratch = this.#scratches.get(vmId);
    if (scratch === undefined) return;
    this.#scratches.delete(vmId);
    const removal = scratch
      .remove()
      .catch((error: unknown) => this.#options.log.warn({ err: error }, "scratch folder stays"))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async execute(guest: Guest, commandLine: string, signal: AbortSignal): Promise<CommandOutcome> {
    if (!this.#options.runsCommands) return this.#table.execute(guest, commandLine, signal);
    let scratch = this.#scratches.get(guest.vmId);
    if (scratch === undefined) {
      scratch = new Scratch();
      this.#scratches.set(guest.vmId, scratch);
    }
    return scratch.run(commandLine, signal);
  }

  async close(): Promise<void> {
    for (const vmId of this.#listening.keys()) this.shutDown(vmId);
    for (const vmId of this.#scratches.keys()) this.remove(vmId);
    await Promise.all(this.#removals);
  }
}
