/**
 * Short commands in a guest. The service runs at most two at once on a Mac, three minutes each, and lets further ones wait
 * without a word; so they wait here, where their deadline counts and giving up costs nothing.
 */
import type { Clock } from "../../shared/clock.ts";
import { type ExecuteRequest, type ExecuteResult, ParallelsError } from "./api.ts";
import { decodeObject, malformed, numberAt, textAt } from "./decoders.ts";
import { judgeMessage } from "./error-judgement.ts";
import { buildGuestCommand } from "./guest-command.ts";
import { Semaphore } from "./semaphore.ts";
import { pathOf, type ServiceClient } from "./service-client.ts";

/** The service's own bound for each Mac. */
const commandsAtOnce = 2;

/** More waiting ones are refused: probes come one a VM, and a Mac has far fewer VMs. */
const waitingMax = 64;

/** The service's own bound for each command. */
const timeoutMaxMs = 180_000;

export class GuestExecution {
  readonly #client: ServiceClient;
  readonly #clock: Clock;
  readonly #semaphore = new Semaphore({ slots: commandsAtOnce, waitersMax: waitingMax });

  constructor(client: ServiceClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Runs the command; a command that fails is a result, not an error. The time limit counts from now, the wait included. */
  async execute(vmId: string, request: ExecuteRequest): Promise<ExecuteResult> {
    const path = pathOf`/machines/${vmId}/execute`;
    const command = buildGuestCommand(request);
    const limitMs = Math.min(request.timeoutMs, timeoutMaxMs);
    const startMs = this.#clock.monotonicMs();
    const isTaken = await this.#client.within(
      { what: `the wait for PUT ${path}`, limitMs, signal: request.signal },
      (signal) => this.#semaphore.take(signal),
    );
    if (!isTaken) throw new ParallelsError("failed", `${waitingMax} commands wait already for guests of this Mac`);
    try {
      const leftMs = Math.max(1, limitMs - (this.#clock.monotonicMs() - startMs));
      const call = { method: "PUT", path, body: { command }, limitMs: leftMs, signal: request.signal } as const;
      return decodeResult(await this.#client.callJson(call));
    } finally {
      this.#semaphore.release();
    }
  }
}

function decodeResult(value: unknown): ExecuteResult {
  const reply = decodeObject(value, "the reply to a command");
  if (typeof reply["exit_code"] !== "number") throw malformed("the reply to a command has no exit_code");
  const exitCode = numberAt(reply, "exit_code");
  const error = textAt(reply, "error");
  // A command that fails has its exit code and an error; an error alone says that it never ran.
  if (error !== "" && exitCode === 0) throw new ParallelsError(judgeMessage(error), error);
  return { stdout: textAt(reply, "stdout"), stderr: textAt(reply, "stderr"), exitCode };
}
