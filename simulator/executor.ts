/**
 * Runs commands in guests as the service does: two at once on a Mac, the others wait; three minutes each; the command
 * line is one string for the guest's shell, with variables put before it in a way that quotes can break out of.
 */
import type { MacContext } from "./mac-context.ts";
import type { Power } from "./power.ts";
import { prlctlFailed, stateForbids } from "./service-error.ts";
import type { Vm, VmState } from "./vm.ts";

const commandCountMax = 2;
const commandLimitMs = 180_000;
/** Calls that wait; the real service has no bound, and so many would never end. */
const waitingCountMax = 1_000;

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** Empty if the command ended with 0. */
  readonly error: string;
}

export class Executor {
  readonly #context: MacContext;
  readonly #power: Power;
  #runningCount = 0;
  /** Made when a command runs, since most Macs never see one. */
  #running: Set<RunningCommand> | undefined;
  #waiting: (() => void)[] | undefined;

  constructor(context: MacContext, power: Power) {
    this.#context = context;
    this.#power = power;
  }

  /** @throws ServiceError if the VM does not run. A command that fails is a result. */
  async execute(vm: Vm, command: string, variables: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    if (vm.state !== "running") throw stateForbids("VM is not running");
    await this.#takeTurn();
    try {
      await this.#context.faults.pass("execute");
      if (vm.address === "" || !vm.answersProbes) return ended(255, sessionRefused);
      return await this.#run(vm, toCommandLine(command, variables));
    } finally {
      this.#endTurn();
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#runningCount >= commandCountMax) {
      this.#waiting ??= [];
      if (this.#waiting.length >= waitingCountMax) throw prlctlFailed("Too many commands are waiting.");
      // The turn is handed over, so nobody can come in between.
      await new Promise<void>((resolve) => this.#waiting?.push(resolve));
      return;
    }
    this.#runningCount += 1;
  }

  #endTurn(): void {
    const next = this.#waiting?.shift();
    if (next === undefined) this.#runningCount -= 1;
    else next();
  }

  async #run(vm: Vm, commandLine: string): Promise<CommandResult> {
    const controller = new AbortController();
    const stopped = Promise.withResolvers<CommandResult>();
    const command: RunningCommand = {
      vmId: vm.id,
      stop: (reason) => {
        stopped.resolve(reason === "time is over" ? timedOut : ended(255, sessionClosed));
        controller.abort(new Error(reason));
      },
    };
    this.#runningCommands().add(command);
    const limit = this.#context.clock.after(commandLimitMs, () => command.stop("time is over"));
    const done = this.#context.guests
      .execute(this.#power.guestOf(vm), commandLine, controller.signal)
      .then((outcome) => ended(outcome.exitCode, outcome.stderr, outcome.stdout))
      .catch((error: unknown) => ended(255, error instanceof Error ? error.message : "failed"));
    try {
      return await Promise.race([done, stopped.promise]);
    } finally {
      limit.cancel();
      this.#runningCommands().delete(command);
    }
  }

  #runningCommands(): Set<RunningCommand> {
    if (this.#running !== undefined) return this.#running;
    const running = new Set<RunningCommand>();
    this.#running = running;
    this.#context.events.subscribe((event) => {
      if (event.type !== "vm-state-changed" || !sessionEnds.has(event.currentState)) return;
      for (const command of running) if (command.vmId === event.vm.id) command.stop("guest is off");
    });
    return running;
  }
}

/** States that end the commands of a guest. */
const sessionEnds: ReadonlySet<VmState> = new Set(["stopping", "stopped", "suspending", "suspended", "resetting"]);

interface RunningCommand {
  readonly vmId: string;
  stop(reason: "guest is off" | "time is over"): void;
}

const sessionRefused =
  "Unable to open new session in this virtual machine. Make sure the latest version of Parallels Tools is installed in " +
  "this virtual machine and it has finished booting.\n";
const sessionClosed = "The session was closed: the virtual machine is not running.\n";
/** A command past its limit is killed by the service. */
const timedOut: CommandResult = { stdout: "", stderr: "", exitCode: -1, error: ", err: signal: killed" };

function toCommandLine(command: string, variables: Readonly<Record<string, string>>): string {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}='${value}'`);
  return assignments.length === 0 ? command : `env ${assignments.join(" ")} bash -c '${command}'`;
}

function ended(exitCode: number, stderr: string, stdout = ""): CommandResult {
  return { stdout, stderr, exitCode, error: exitCode === 0 ? "" : `${stderr}, err: exit status ${exitCode}` };
}
