/** The two calls that bring certificates, each on a connection of its own that ends with it. */
import { type ClientUnaryCall, Metadata, type ServiceError } from "@grpc/grpc-js";
import { systemClock } from "../../shared/clock.ts";
import { AgentServiceClient, type Credentials } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { TlsCredentials, type TlsIdentity } from "../link/tls-credentials.ts";

export interface EnrolCall {
  readonly joinTokenId: string;
  readonly secret: string;
  readonly hostId: string;
  /** PKCS #10, in DER. */
  readonly certificateRequest: Buffer;
  readonly signal: AbortSignal;
}

/** By the machine's clock, in which gRPC's deadlines are; long enough for a server that has a whole pool to enrol. */
const callLimitMs = 20_000;

/** Rejects with a `ServiceError`. */
export function callEnrol(server: string, identity: TlsIdentity, call: EnrolCall): Promise<Credentials> {
  const { signal, ...request } = call;
  return calling({ server, identity, signal }, (client, options, answer) => client.enroll(request, ...options, answer));
}

/** Rejects with a `ServiceError`. */
export function callRenew(
  server: string,
  identity: TlsIdentity,
  { signal, certificateRequest }: Pick<EnrolCall, "certificateRequest" | "signal">,
): Promise<Credentials> {
  return calling({ server, identity, signal }, (client, options, answer) =>
    client.renewCertificate({ certificateRequest }, ...options, answer),
  );
}

type Answer = (error: ServiceError | null, response?: { readonly credentials?: Credentials | undefined }) => void;

async function calling(
  {
    server,
    identity,
    signal,
  }: { readonly server: string; readonly identity: TlsIdentity; readonly signal: AbortSignal },
  start: (client: AgentServiceClient, options: CallOptions, answer: Answer) => ClientUnaryCall,
): Promise<Credentials> {
  const client = new AgentServiceClient(server, new TlsCredentials(identity), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
  });
  let call: ClientUnaryCall | undefined;
  const onAbort = (): void => call?.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      call = start(client, callOptions(), (error, response) => {
        if (error !== null) reject(error);
        else if (response?.credentials === undefined) reject(new Error("the server answered without a certificate"));
        else resolve(response.credentials);
      });
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
    client.close();
  }
}

type CallOptions = readonly [Metadata, { readonly deadline: Date }];

function callOptions(): CallOptions {
  return [new Metadata(), { deadline: new Date(systemClock.wallMs() + callLimitMs) }];
}
