/** The options of the gRPC server that agents dial. */
import type { ServerOptions } from "@grpc/grpc-js";
import { messageBytesMax } from "./limits.ts";

export const agentServerOptions: ServerOptions = {
  // A Mac that loses power says no goodbye; without pings its stream would stay for hours. Ten seconds between pings keep
  // NAT entries alive too and cost a few percent of a core with thousands of agents. 5 s is many round trips.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  // Between two streams of an agent its connection is watched as well.
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
  // An agent has one stream; an older one that has not ended yet, and a few more for calls of its own.
  "grpc.max_concurrent_streams": 8,
  // MiB that HTTP/2 may keep for one connection: a few of the longest messages, both ways.
  "grpc-node.max_session_memory": 32,
  // "grpc.enable_channelz" stays on though nobody reads its statistics here: without it grpc-js 1.14 does not know its
  // connections, and `forceShutdown` would leave them open.
};
