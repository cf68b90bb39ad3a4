/**
 * What has come up one stream and is not durable yet, in order. It says up to where everything is durable, for the
 * acknowledgement, and pauses the stream while too much is under way, so that an agent that floods is slowed down by its own
 * connection and not by this server's memory.
 */
import { required } from "../../shared/assert.ts";
import { inFlightWeightMax } from "./limits.ts";

interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

interface InFlight {
  readonly sequence: number;
  readonly weight: number;
  isDone: boolean;
}

/** How a message ended: taken for good, or void because its session was over. */
export type Outcome = "durable" | "void";

export interface InboxListener {
  /** Everything up to this sequence number is durable. */
  onDurable(sequence: number): void;
  /** The pool could not say whether it took a message. */
  onFailure(error: unknown): void;
}

export class Inbox {
  /** The sequence number of the last message. */
  lastSequence = 0;
  private readonly stream: Pausable;
  private readonly listener: InboxListener;
  /** The oldest first; short, since `inFlightWeightMax` bounds it. */
  private readonly inFlight: InFlight[] = [];
  private weight = 0;
  private isPaused = false;

  constructor(stream: Pausable, listener: InboxListener) {
    this.stream = stream;
    this.listener = listener;
  }

  /** Takes note of a message's number: whether it is the next one, comes after a gap, or repeats an earlier one. */
  number(sequence: number): "next" | "gap" | "repeat" {
    if (!(sequence > this.lastSequence)) return "repeat";
    const isNext = sequence === this.lastSequence + 1;
    this.lastSequence = sequence;
    return isNext ? "next" : "gap";
  }

  /** Holds a place for a message until it is durable. */
  track(sequence: number, weight: number, outcome: Promise<Outcome>): void {
    const entry: InFlight = { sequence, weight, isDone: false };
    this.inFlight.push(entry);
    this.weight += weight;
    if (!this.isPaused && this.weight >= inFlightWeightMax) {
      this.isPaused = true;
      this.stream.pause();
    }
    outcome.then(
      (ended) => {
        if (ended === "durable") this.settle(entry);
      },
      (error: unknown) => this.listener.onFailure(error),
    );
  }

  private settle(entry: InFlight): void {
    entry.isDone = true;
    if (this.inFlight[0] !== entry) return;
    let durable = entry.sequence;
    while (this.inFlight[0]?.isDone) {
      const done = required(this.inFlight.shift(), "oldest message");
      this.weight -= done.weight;
      durable = done.sequence;
    }
    this.listener.onDurable(durable);
    if (this.isPaused && this.weight <= inFlightWeightMax / 2) {
      this.isPaused = false;
      this.stream.resume();
    }
  }
}
