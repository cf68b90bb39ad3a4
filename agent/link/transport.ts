/** The port through which a session speaks to one server: a two-way stream of messages. gRPC stays behind it. */
import type { ConnectRequest, ConnectResponse } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export interface LinkTransport {
  /** Dials. Returns before any event; whether anybody is there, the first message tells. */
  open(address: string, events: LinkStreamEvents): LinkStream;
}

export interface LinkStreamEvents {
  readonly onMessage: (message: ConnectResponse) => void;
  /** After `write` has answered false: there is room again. */
  readonly onWritable: () => void;
  /** The stream is over; called once, and nothing else after it. No error: the server ended it in order. */
  readonly onEnd: (error: Error | undefined) => void;
}

export interface LinkStream {
  /** Hands a message over. False: wait for `onWritable` before the next. True proves nothing about its arrival. */
  write(message: ConnectRequest): boolean;
  /** No more will be written; the server may still speak. */
  end(): void;
  /** Lets go of the stream and its connection; no event comes after it. Twice is harmless. */
  destroy(): void;
}
