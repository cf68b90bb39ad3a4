/**
 * The server's half of the link, on a real grpc-js server in the test: it notes what each stream says and lets the test say
 * what it likes. By default it welcomes every agent with the next epoch and acknowledges everything.
 */
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  AgentServiceService,
  type Command,
  type CommandUpdate,
  type ConnectRequest,
  ConnectResponse,
  type Goodbye,
  type Hello,
  type Settings,
} from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export interface ScriptedBehaviour {
  /** Answer the Hello with a Welcome. Default true. */
  readonly welcomes?: boolean;
  /** Acknowledge each message as it comes. Default true. */
  readonly acknowledges?: boolean;
  /** Read what the agent says after its Hello. Default true. */
  readonly reads?: boolean;
  readonly settings?: Partial<Settings>;
}

/** One stream of an agent. */
export class ScriptedStream {
  readonly received: ConnectRequest[] = [];
  isOver = false;
  readonly #call: ServerDuplexStream<ConnectRequest, ConnectResponse>;

  constructor(call: ServerDuplexStream<ConnectRequest, ConnectResponse>) {
    this.#call = call;
    const finish = (): void => {
      this.isOver = true;
    };
    call.on("cancelled", finish);
    call.on("close", finish);
    call.on("error", finish);
    call.on("end", () => {
      finish();
      call.end();
    });
  }

  get hello(): Hello | undefined {
    const payload = this.received[0]?.payload;
    return payload?.$case === "hello" ? payload.hello : undefined;
  }

  payloads<Case extends NonNullable<ConnectRequest["payload"]>["$case"]>(
    kind: Case,
  ): Extract<NonNullable<ConnectRequest["payload"]>, { $case: Case }>[] {
    return this.received.flatMap(({ payload }) =>
      payload?.$case === kind
        ? [payload as Extract<NonNullable<ConnectRequest["payload"]>, { $case: Case }>] // narrowed by the line above
        : [],
    );
  }

  updatesOf(commandId: string): CommandUpdate[] {
    return this.payloads("commandUpdate")
      .map(({ commandUpdate }) => commandUpdate)
      .filter((update) => update.commandId === commandId);
  }

  say(payload: ConnectResponse["payload"], acknowledged = 0): void {
    this.#call.write({ acknowledged, payload });
  }

  command(command: Command): void {
    this.say({ $case: "command", command });
  }

  acknowledge(sequence: number): void {
    this.say(undefined, sequence);
  }

  goodbye(goodbye: Partial<Goodbye>): void {
    this.say({ $case: "goodbye", goodbye: { reason: "Leaving", message: "", retryAfterMs: 0, ...goodbye } });
    this.#call.end();
  }

  /** Breaks the stream with an error. */
  destroy(): void {
    this.#call.emit("error", { code: status.UNAVAILABLE, details: "broken by the test" });
  }

  pauseReading(): void {
    this.#call.pause();
  }

  resumeReading(): void {
    this.#call.resume();
  }
}

export interface ScriptedServer {
  readonly address: string;
  readonly streams: ScriptedStream[];
  /** For streams from now on. */
  behave(behaviour: ScriptedBehaviour): void;
  /** Ends at once, with all connections; the port is free again. */
  close(): void;
}

export async function startScriptedServer(behaviour: ScriptedBehaviour = {}, port = 0): Promise<ScriptedServer> {
  const server = new Server();
  const streams: ScriptedStream[] = [];
  let present = behaviour;
  let epoch = 0;
  server.addService(AgentServiceService, {
    connect: (call: ServerDuplexStream<ConnectRequest, ConnectResponse>) => {
      const stream = new ScriptedStream(call);
      const { welcomes = true, acknowledges = true, reads = true, settings } = present;
      streams.push(stream);
      call.on("data", (message: ConnectRequest) => {
        stream.received.push(message);
        if (message.payload?.$case === "hello") {
          if (welcomes)
            stream.say(ConnectResponse.create({ payload: welcome(++epoch, settings) }).payload, acknowledges ? 1 : 0);
          if (!reads) stream.pauseReading();
        } else if (acknowledges) stream.acknowledge(message.sequence);
      });
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, boundPort) =>
      error === null ? resolve(boundPort) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${bound}`,
    streams,
    behave: (next) => {
      present = next;
    },
    close: () => server.forceShutdown(),
  };
}

function welcome(epoch: number, settings: Partial<Settings> | undefined): ConnectResponse["payload"] {
  return {
    $case: "welcome",
    welcome: {
      sessionId: `session-${epoch}`,
      epoch,
      serverVersion: "test",
      settings: { heartbeatPeriodMs: 60_000, parallelCreates: 2, diskReserveMib: 1_000, ...settings },
    },
  };
}
