/** Ports: binding gRPC and HTTP servers to addresses, and closing them within a bound. */
import type { Server as HttpServer } from "node:http";
import type { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { type Clock, sleep } from "../shared/clock.ts";
import { fieldInvalid, MeridianError } from "../shared/errors.ts";
import { isLoopbackName } from "./api/origin.ts";

export interface Address {
  /** A name or an address of this machine, such as "127.0.0.1". */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Throws FIELD_INVALID: without authentication only this machine may reach the server. */
export function checkLoopback(field: string, address: Address): void {
  if (!isLoopbackName(address.host)) {
    throw fieldInvalid(
      field,
      `must be an address of this machine alone, such as 127.0.0.1, not ${address.host}: there is no authentication`,
    );
  }
}

/** Throws FIELD_INVALID. */
export function checkPort(field: string, address: Address): void {
  if (!Number.isInteger(address.port) || address.port < 0 || address.port > 65_535) {
    throw fieldInvalid(field, `must have a port from 0 to 65535, not ${address.port}`);
  }
}

/** Binds the server, and returns the address that it got. Rejects with FIELD_INVALID when it cannot be had. */
export function listenGrpc(
  server: GrpcServer,
  credentials: ServerCredentials,
  { field, address }: { readonly field: string; readonly address: Address },
): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatAddress(address), credentials, (error, port) => {
      if (error === null) resolve({ host: address.host, port });
      else reject(cannotListen(field, address, error));
    });
  });
}

export function listenHttp(server: HttpServer, field: string, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(cannotListen(field, address, error));
    server.once("error", onError);
    server.listen({ host: address.host, port: address.port }, () => {
      server.off("error", onError);
      const bound = server.address();
      resolve({ host: address.host, port: typeof bound === "object" && bound !== null ? bound.port : address.port });
    });
  });
}

/** Lets calls end, cuts off what has not ended after `drainMs`, and resolves when every connection is closed. */
export async function closeGrpc(server: GrpcServer, clock: Clock, drainMs: number): Promise<void> {
  const drained = new Promise<void>((resolve) => {
    server.tryShutdown(() => resolve());
  });
  await within(drained, clock, drainMs);
  server.forceShutdown();
}

export async function closeHttp(server: HttpServer, clock: Clock, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  await within(closed, clock, drainMs);
  server.closeAllConnections();
  await closed;
}

/** Resolves when the work does, or after `limitMs`. */
export async function within(work: Promise<void>, clock: Clock, limitMs: number): Promise<void> {
  const stop = new AbortController();
  const limit = sleep(clock, limitMs, stop.signal).catch(() => undefined);
  await Promise.race([work, limit]);
  stop.abort();
}

function cannotListen(field: string, address: Address, cause: Error): MeridianError {
  return new MeridianError(
    "FIELD_INVALID",
    `${field}: cannot listen on ${formatAddress(address)}; is another server using it?`,
    {
      fields: [{ field, description: `cannot listen on ${formatAddress(address)}` }],
      metadata: { field, address: formatAddress(address) },
      cause,
    },
  );
}
