/**
 * The standard health service of the gRPC port: overall ("") and for each service, NOT_SERVING while the server closes. It
 * stands on the types that reflection tells of anyway: the package that offers it compiles its own proto with another
 * library, which took a twelfth of a start.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type Server,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import {
  type HealthCheckRequest,
  type HealthCheckResponseSchema,
  Health as HealthDescriptor,
  type HealthListRequest,
  type HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../shared/gen/es/grpc/health/v1/health_pb.ts";

export interface Health {
  setServing(isServing: boolean): void;
}

/** Adds the service to the server, NOT_SERVING at first. */
export function addHealth(server: Server, serviceNames: readonly string[]): Health {
  const health = new HealthService(serviceNames);
  server.addService(definition, { check: health.check, watch: health.watch, list: health.list });
  return health;
}

type CheckAnswer = MessageInitShape<typeof HealthCheckResponseSchema>;
type ListAnswer = MessageInitShape<typeof HealthListResponseSchema>;

class HealthService implements Health {
  private readonly names: ReadonlySet<string>;
  /** One for each watch that is open. */
  private readonly watchers = new Set<() => void>();
  private current: ServingStatus = ServingStatus.NOT_SERVING;

  constructor(serviceNames: readonly string[]) {
    this.names = new Set(["", ...serviceNames]);
  }

  setServing(isServing: boolean): void {
    this.current = isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    for (const watcher of this.watchers) watcher();
  }

  readonly check: handleUnaryCall<HealthCheckRequest, CheckAnswer> = ({ request }, callback) => {
    if (this.names.has(request.service)) callback(null, { status: this.current });
    else callback({ code: status.NOT_FOUND, details: `there is no service ${request.service}` });
  };

  readonly watch: handleServerStreamingCall<HealthCheckRequest, CheckAnswer> = (call) => {
    const isKnown = this.names.has(call.request.service);
    const watcher = (): void => void call.write({ status: isKnown ? this.current : ServingStatus.SERVICE_UNKNOWN });
    watcher();
    // What is not known now will not be known later.
    if (!isKnown) return;
    this.watchers.add(watcher);
    call.once("cancelled", () => this.watchers.delete(watcher));
  };

  readonly list: handleUnaryCall<HealthListRequest, ListAnswer> = (_call, callback) => {
    const statuses = [...this.names].map((name) => [name, { status: this.current }] as const);
    callback(null, { statuses: Object.fromEntries(statuses) });
  };
}

const { check, watch, list } = HealthDescriptor.method;

const definition: ServiceDefinition = {
  check: methodDefinition(check),
  watch: methodDefinition(watch),
  list: methodDefinition(list),
};

function methodDefinition(
  method: DescMethod,
): MethodDefinition<MessageShape<DescMessage>, MessageInitShape<DescMessage>> {
  const write = (schema: DescMessage, init: MessageInitShape<DescMessage>): Buffer =>
    Buffer.from(toBinary(schema, create(schema, init)));
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: (request) => write(method.input, request),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (response) => write(method.output, response),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}
