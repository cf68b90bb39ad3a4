/**
 * A server for tests of the command line: real HTTP/2 on a free port, with as much of the services as a test scripts.
 * Whatever a test does not script answers UNIMPLEMENTED. Every request is kept, by the name of its call.
 */
import { once } from "node:events";
import { createServer, type Http2Session } from "node:http2";
import { ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type ErrorOptions, type ErrorReason, grpcCodes, MeridianError } from "../../../shared/errors.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../../shared/gen/es/google/rpc/error_details_pb.ts";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { CatalogService } from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { EventService } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";

export interface Script {
  readonly vms?: Partial<ServiceImpl<typeof VmService>>;
  readonly hosts?: Partial<ServiceImpl<typeof HostService>>;
  readonly templates?: Partial<ServiceImpl<typeof TemplateService>>;
  readonly catalogs?: Partial<ServiceImpl<typeof CatalogService>>;
  readonly access?: Partial<ServiceImpl<typeof AccessService>>;
  readonly pool?: Partial<ServiceImpl<typeof PoolService>>;
  readonly events?: Partial<ServiceImpl<typeof EventService>>;
}

export interface ScriptedServer {
  /** host:port */
  readonly address: string;
  /** The calls so far, as "ListVms", with the headers that tests look at. */
  readonly calls: readonly {
    readonly name: string;
    readonly authorization: string | null;
    readonly timeout: string | null;
  }[];
  close(): Promise<void>;
}

/** @param port 0 for a free one. */
export async function startScriptedServer(script: Script, port = 0): Promise<ScriptedServer> {
  const calls: { name: string; authorization: string | null; timeout: string | null }[] = [];
  const handler = connectNodeAdapter({
    routes: (router: ConnectRouter) => {
      router.service(VmService, script.vms ?? {});
      router.service(HostService, script.hosts ?? {});
      router.service(TemplateService, script.templates ?? {});
      router.service(CatalogService, script.catalogs ?? {});
      router.service(AccessService, script.access ?? {});
      router.service(PoolService, script.pool ?? {});
      router.service(EventService, script.events ?? {});
    },
    interceptors: [
      (next) => (request) => {
        calls.push({
          name: request.method.name,
          authorization: request.header.get("authorization"),
          timeout: request.header.get("grpc-timeout"),
        });
        return next(request);
      },
    ],
  });
  const server = createServer(handler);
  const sessions = new Set<Http2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${address.port}`,
    calls,
    async close() {
      if (!server.listening) return;
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** An error as a Meridian server sends it. */
export function refusal(reason: ErrorReason, message: string, options: ErrorOptions = {}): ConnectError {
  const error = new MeridianError(reason, message, options);
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- Connect's codes have gRPC's numbers
  return new ConnectError(message, grpcCodes[error.code], undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "meridian", metadata: { ...options.metadata } } },
    ...(options.fields === undefined
      ? []
      : [{ desc: BadRequestSchema, value: { fieldViolations: options.fields.map((field) => ({ ...field })) } }]),
  ]);
}
