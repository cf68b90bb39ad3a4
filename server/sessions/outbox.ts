/**
 * What goes down one stream. grpc-js buffers what a slow peer does not read, without a bound and without a word; the outbox
 * counts what waits and says when it is too much. Acknowledgements ride on whatever is sent, or go alone, at most once in a
 * turn of the event loop.
 */
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ConnectRequest, ConnectResponse } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { stallMaxMs, waitingMessagesMax } from "./limits.ts";

export type AgentCall = ServerDuplexStream<ConnectRequest, ConnectResponse>;

export class Outbox {
  private readonly call: AgentCall;
  private readonly monotonicMs: () => number;
  private acknowledged = 0;
  private isAcknowledgementDue = false;
  private stalledSinceMs: number | undefined;
  private isClosed = false;

  constructor(call: AgentCall, monotonicMs: () => number) {
    this.call = call;
    this.monotonicMs = monotonicMs;
    call.on("drain", () => {
      this.stalledSinceMs = undefined;
    });
  }

  send(payload: ConnectResponse["payload"]): void {
    if (this.isClosed) return;
    this.isAcknowledgementDue = false;
    if (!this.call.write({ acknowledged: this.acknowledged, payload })) this.stalledSinceMs ??= this.monotonicMs();
  }

  /** Everything up to this sequence number is durable. */
  acknowledge(sequence: number): void {
    this.acknowledged = sequence;
    if (this.isAcknowledgementDue) return;
    this.isAcknowledgementDue = true;
    setImmediate(() => {
      if (this.isAcknowledgementDue) this.send(undefined);
    });
  }

  /** Whether the peer reads too slowly to be kept: too much waits for it, or has waited for too long. */
  isStalled(nowMs: number): boolean {
    if (this.call.writableLength > waitingMessagesMax) return true;
    return this.stalledSinceMs !== undefined && nowMs - this.stalledSinceMs > stallMaxMs;
  }

  /** From here on nothing is sent. */
  close(): void {
    this.isClosed = true;
  }
}
