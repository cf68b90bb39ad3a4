/**
 * The server's end of a simulated stream, with the face of a call of grpc-js: the events and methods that the sessions use
 * and no others.
 */
import { EventEmitter } from "node:events";
import type { AgentCall } from "../../server/sessions/outbox.ts";
import type { ConnectRequest, ConnectResponse } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Life } from "./life.ts";

/** What the call is the end of. */
export interface CallStream {
  writeDown(message: ConnectResponse): void;
  endDown(error: Error | undefined): void;
  breakOff(): void;
}

export class ServerCall extends EventEmitter {
  readonly writableLength = 0;
  /** Where the sessions look for the HTTP/2 stream when they reset it. */
  readonly call = { stream: { close: () => this.#stream.breakOff() } };
  readonly #stream: CallStream;
  readonly #life: Life;
  readonly #waiting: ConnectRequest[] = [];
  #isPaused = false;
  #isEnded = false;
  #isCancelled = false;

  constructor(stream: CallStream, life: Life) {
    super();
    this.#stream = stream;
    this.#life = life;
    this.on("error", (error: { readonly details?: string }) => this.#end(new Error(error.details ?? "refused")));
  }

  /** As the sessions' code knows it; it is only ever asked for what is here. */
  asAgentCall(): AgentCall {
    return this as unknown as AgentCall;
  }

  getPeer(): string {
    return "simulated";
  }

  write(message: ConnectResponse): boolean {
    if (!this.#life.isOver && !this.#isEnded) this.#stream.writeDown(message);
    return true;
  }

  end(): void {
    this.#end(undefined);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#tell("data", message);
    }
  }

  receive(message: ConnectRequest): void {
    if (this.#isPaused) this.#waiting.push(message);
    else this.#tell("data", message);
  }

  /** The agent closed its side. */
  finish(): void {
    this.#tell("end");
  }

  /** The stream is over, however that came. */
  cancelled(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#tell("cancelled");
  }

  #end(error: Error | undefined): void {
    if (this.#isEnded || this.#life.isOver) return;
    this.#isEnded = true;
    this.#stream.endDown(error);
  }

  #tell(event: string, ...values: readonly unknown[]): void {
    this.#life.do(() => this.emit(event, ...values));
  }
}
