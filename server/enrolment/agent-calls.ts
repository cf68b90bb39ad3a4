/** The calls of agents beside the stream: to enrol, which needs no certificate, and to renew one, which does. */
import type { handleUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { MeridianError } from "../../shared/errors.ts";
import type {
  AgentServiceServer,
  Credentials,
  EnrollResponse,
  RenewCertificateResponse,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { RefusedCall } from "../api/access/audit.ts";
import { type ErrorReporter, toGrpcStatus } from "../api/error-status.ts";
import { peerAddress } from "../api/rpc/peer-address.ts";
import type { IdentifyPeer } from "../sessions/peer.ts";
import type { Enrolment } from "./enrolment.ts";

export interface AgentCallsOptions {
  /** Absent: the server is insecure, and hosts need no certificates. */
  readonly enrolment: Enrolment | undefined;
  readonly identify: IdentifyPeer;
  readonly errors: ErrorReporter;
  /** Told of every call that is refused; what to answer it, when it is time to. */
  readonly onRefused: (call: RefusedCall, error: unknown) => Promise<unknown>;
}

export function createAgentCalls(options: AgentCallsOptions): Pick<AgentServiceServer, "enroll" | "renewCertificate"> {
  const enrolment = (): Enrolment => {
    if (options.enrolment !== undefined) return options.enrolment;
    throw new MeridianError(
      "STATE_NOT_ALLOWED",
      "the server is insecure, so hosts need no certificates; start the agent with --insecure and without a join token",
      { metadata: { state: "INSECURE" } },
    );
  };
  return {
    enroll: answered("Enroll", options, async (call): Promise<EnrollResponse> => {
      return { credentials: await enrolment().enrol(call.request, peerAddress(call.getPeer())) };
    }),
    renewCertificate: answered("RenewCertificate", options, async (call): Promise<RenewCertificateResponse> => {
      const peer = options.identify(call);
      const credentials: Credentials = await enrolment().renew(
        peer ?? refuseStranger(),
        call.request,
        peerAddress(call.getPeer()),
      );
      return { credentials };
    }),
  };
}

function refuseStranger(): never {
  throw new MeridianError("CREDENTIALS_MISSING", "only a host with a certificate that is good now can renew it");
}

function answered<Request, Response>(
  method: string,
  { errors, onRefused }: AgentCallsOptions,
  answer: (call: Parameters<handleUnaryCall<Request, Response>>[0]) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  const outcomeOf = async (call: Parameters<typeof answer>[0]): Promise<Parameters<sendUnaryData<Response>>> => {
    try {
      return [null, await answer(call)];
    } catch (error) {
      const caller = { principal: "unknown", authentication: "failed", address: peerAddress(call.getPeer()) };
      const told = await onRefused({ action: method, caller }, error);
      return [toGrpcStatus(errors.toMeridianError(told, `meridian.agent.v1.AgentService/${method}`)), null];
    }
  };
  const answerCall = async (...[call, callback]: Parameters<handleUnaryCall<Request, Response>>): Promise<void> => {
    callback(...(await outcomeOf(call)));
  };
  return (call, callback) => {
    // Never rejects: every error is an outcome.
    void answerCall(call, callback);
  };
}
