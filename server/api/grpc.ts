/** The gRPC port: the API, reflection and health, with bounds on messages, streams and silent connections. */
import { Server, type ServerOptions } from "@grpc/grpc-js";
import { addHealth, type Health } from "./health.ts";
import { keepalive, requestBytesMax, responseBytesMax, streamsPerConnectionMax } from "./limits.ts";
import { reflectionBindings } from "./reflection/reflection.ts";
import { type MountOptions, mountService } from "./rpc/grpc-mount.ts";
import type { ServiceBinding } from "./rpc/handlers.ts";

export interface GrpcApiOptions extends MountOptions {
  /**
   * How long a connection may be silent before it is asked for a sign of life, and how long the answer may take. One that
   * never speaks HTTP/2 cannot answer, and is closed like one whose peer is dead. Default: `keepalive` of the limits.
   */
  readonly keepalive?: { readonly periodMs: number; readonly timeoutMs: number };
}

export interface GrpcApi {
  readonly server: Server;
  readonly health: Health;
}

/** A server that does not listen yet. */
export function createGrpcApi(bindings: readonly ServiceBinding[], options: GrpcApiOptions): GrpcApi {
  const server = new Server(serverOptions(options.keepalive ?? keepalive));
  const services = bindings.map((binding) => binding.service);
  const reflection = reflectionBindings(services);
  for (const binding of [...bindings, ...reflection]) mountService(server, binding, options);
  const names = [...services, ...reflection.map((binding) => binding.service)].map((service) => service.typeName);
  return { server, health: addHealth(server, names) };
}

function serverOptions({ periodMs, timeoutMs }: Required<GrpcApiOptions>["keepalive"]): ServerOptions {
  return {
    "grpc.max_receive_message_length": requestBytesMax,
    "grpc.max_send_message_length": responseBytesMax,
    "grpc.max_concurrent_streams": streamsPerConnectionMax,
    "grpc.keepalive_time_ms": periodMs,
    "grpc.keepalive_timeout_ms": timeoutMs,
  };
}
