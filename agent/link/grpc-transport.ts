/**
 * The transport over gRPC. Each stream has a connection of its own: grpc-js would otherwise keep its own backoff for an address,
 * beside ours. Keepalive pings find a server that is frozen or unplugged, also when nothing is being said.
 */
import type { ChannelCredentials, ClientDuplexStream } from "@grpc/grpc-js";
import {
  AgentServiceClient,
  type ConnectRequest,
  type ConnectResponse,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { LinkStream, LinkStreamEvents, LinkTransport } from "./transport.ts";

export interface GrpcTransportOptions {
  /** Asked for with every dial, since a certificate is renewed now and then. */
  readonly credentials: () => ChannelCredentials;
  /** The time between two pings, in ms. Default 10,000. */
  readonly keepaliveMs?: number;
  /** How long an answer to a ping may take, in ms. Default 5,000. */
  readonly keepaliveTimeoutMs?: number;
}

export function createGrpcTransport(options: GrpcTransportOptions): LinkTransport {
  const channelOptions = {
    "grpc.keepalive_time_ms": options.keepaliveMs ?? 10_000,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? 5_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
  };
  return {
    open: (address, events) => {
      const client = new AgentServiceClient(address, options.credentials(), channelOptions);
      return attach(client, client.connect(), events);
    },
  };
}

/**
 * After a lost connection grpc-js emits no 'close', and what is written then is swallowed with success: the end is known by
 * 'error' or, after the last message, by 'end'.
 */
function attach(
  client: AgentServiceClient,
  call: ClientDuplexStream<ConnectRequest, ConnectResponse>,
  events: LinkStreamEvents,
): LinkStream {
  let isOver = false;
  const finish = (): boolean => {
    const isFirst = !isOver;
    isOver = true;
    if (isFirst) client.close();
    return isFirst;
  };
  const onEnd = (error: Error | undefined): void => {
    if (finish()) events.onEnd(error);
  };
  call.on("data", (message: ConnectResponse) => {
    if (!isOver) events.onMessage(message);
  });
  call.on("drain", () => {
    if (!isOver) events.onWritable();
  });
  call.on("error", (error: Error) => onEnd(error));
  call.on("end", () => onEnd(undefined));
  return {
    // grpc-js would take any number of messages; whoever heeds the answer keeps its buffer at a handful.
    write: (message) => !isOver && call.write(message),
    end: () => {
      if (!isOver) call.end();
    },
    destroy: () => {
      if (finish()) call.cancel();
    },
  };
}
