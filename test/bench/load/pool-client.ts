/** A client of the public API over gRPC: each has a connection of its own. */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ChannelCredentials, Client, type ClientReadableStream, credentials, Metadata } from "@grpc/grpc-js";

/** An answer that takes longer has failed, in ms. */
const callMaxMs = 60_000;

/** Who calls, and how the server is told so. */
export interface Caller {
  readonly credentials: ChannelCredentials;
  readonly token: string;
}

export class PoolClient {
  private readonly client: Client;
  private readonly metadata = new Metadata();

  /** @param address `host:port`. @param caller absent: the server asks nobody. */
  constructor(address: string, caller?: Caller) {
    const channel = caller?.credentials ?? credentials.createInsecure();
    if (caller !== undefined) this.metadata.set("authorization", `Bearer ${caller.token}`);
    this.client = new Client(address, channel, { "grpc.use_local_subchannel_pool": 1 });
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest<MessageShape<I>, MessageShape<O>>(
        pathOf(method),
        (message) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        create(method.input, request),
        this.metadata,
        { deadline: Date.now() + callMaxMs },
        (error, response) => {
          if (response !== undefined) resolve(response);
          else reject(error ?? new Error(`${method.name} answered nothing`));
        },
      );
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): ClientReadableStream<MessageShape<O>> {
    return this.client.makeServerStreamRequest<MessageShape<I>, MessageShape<O>>(
      pathOf(method),
      (message) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      create(method.input, request),
      this.metadata,
    );
  }

  close(): void {
    this.client.close();
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
