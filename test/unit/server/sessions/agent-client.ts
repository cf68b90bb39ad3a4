/** A hand-driven agent on a real stream: it sends what the test says and keeps all that comes. */
import assert from "node:assert/strict";
import { type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import {
  AgentServiceClient,
  type Command,
  type CommandUpdate,
  CommandUpdate_State,
  type ConnectRequest,
  type ConnectResponse,
  type Heartbeat,
  type Hello,
  type HostVm,
  type Inventory,
} from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";

type Payload = NonNullable<ConnectResponse["payload"]>;
type PayloadOf<Case extends Payload["$case"]> = Extract<Payload, { $case: Case }>;

export interface StreamEnd {
  readonly code: number;
  readonly details: string;
}

export class AgentClient {
  readonly received: ConnectResponse[] = [];
  /** How the stream ended; the server's status. */
  end: StreamEnd | undefined;
  private sequence = 0;
  private readonly client: AgentServiceClient;
  private readonly stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;

  constructor(address: string) {
    this.client = new AgentServiceClient(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    this.stream = this.client.connect();
    this.stream.on("data", (message: ConnectResponse) => this.received.push(message));
    this.stream.on("status", ({ code, details }: StreamEnd) => {
      this.end = { code, details };
    });
    // The status tells the same.
    this.stream.on("error", () => undefined);
  }

  /** Sends under the next sequence number, or under the one given. */
  send(payload: ConnectRequest["payload"], sequence: number = this.sequence + 1): number {
    this.sequence = Math.max(this.sequence, sequence);
    this.stream.write({ sequence, payload });
    return sequence;
  }

  hello(fields: Partial<Hello> = {}): number {
    return this.send({ $case: "hello", hello: helloOf(fields) });
  }

  heartbeat(fields: Partial<Heartbeat> = {}): number {
    return this.send({ $case: "heartbeat", heartbeat: heartbeatOf(fields) });
  }

  inventory(fields: Partial<Inventory>): number {
    return this.send({ $case: "inventory", inventory: inventoryOf(fields) });
  }

  update(commandId: string, state: CommandUpdate_State, fields: Partial<CommandUpdate> = {}): number {
    return this.send({ $case: "commandUpdate", commandUpdate: updateOf(commandId, state, fields) });
  }

  /** Says Hello and waits for the Welcome. */
  async open(fields: Partial<Hello> = {}): Promise<PayloadOf<"welcome">["welcome"]> {
    this.hello(fields);
    return (await this.next("welcome")).welcome;
  }

  all<Case extends Payload["$case"]>(kind: Case): PayloadOf<Case>[] {
    return this.received.flatMap(({ payload }) => (payload?.$case === kind ? [payload as PayloadOf<Case>] : []));
  }

  /** The message of this kind after the first `skip` ones, once it is there. */
  async next<Case extends Payload["$case"]>(kind: Case, skip = 0): Promise<PayloadOf<Case>> {
    await until(() => this.all(kind).length > skip || this.end !== undefined, `a ${kind}`);
    const found = this.all(kind)[skip];
    assert.ok(found !== undefined, `the stream ended without a ${kind}: ${JSON.stringify(this.end)}`);
    return found;
  }

  async nextCommand(skip = 0): Promise<Command> {
    return (await this.next("command", skip)).command;
  }

  get acknowledged(): number {
    return this.received.at(-1)?.acknowledged ?? 0;
  }

  async ended(): Promise<StreamEnd> {
    await until(() => this.end !== undefined, "the stream's end");
    assert.ok(this.end !== undefined);
    return this.end;
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** Messages that could not be handed to the connection yet. */
  get waitingCount(): number {
    return this.stream.writableLength;
  }

  /** Breaks the stream off. */
  close(): void {
    this.stream.cancel();
    this.client.close();
  }
}

/** Waits until the condition holds, for at most five seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = Date.now() + 5000;
  while (!(await condition())) {
    assert.ok(Date.now() < endMs, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets everything that is on its way arrive, there and back, so that what did not come is not coming. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 2));
}

export function helloOf(fields: Partial<Hello> = {}): Hello {
  return {
    protocolVersion: 1,
    hostId: "mac-1",
    facts: {
      hardwareId: "hardware-1",
      architecture: "arm64",
      chip: "Apple M4",
      macosVersion: "15.1",
      parallelsVersion: "20.1.1",
      serviceVersion: "1.0.5",
      licence: "valid",
      agentVersion: "0.1.0",
      cpuCount: 10,
      memoryMib: 32_768,
      diskMib: 1_000_000,
      reserved: { cpuCount: 1, memoryMib: 2048, diskMib: 10_000 },
      address: "10.0.0.1",
    },
    bootId: "boot-1",
    agentRunId: "run-1",
    inventory: inventoryOf({ sequence: 1, whole: true }),
    heartbeat: heartbeatOf(),
    commands: [],
    labels: {},
    dialNumber: undefined,
    ...fields,
  };
}

/** A Hello of another Mac than `helloOf`'s, or of the same one under another id. */
export function helloFrom(mac: string, fields: Partial<Hello> = {}): Hello {
  const hello = helloOf(fields);
  assert.ok(hello.facts !== undefined);
  return {
    ...hello,
    bootId: `boot-${mac}`,
    agentRunId: `run-${mac}`,
    facts: { ...hello.facts, hardwareId: mac },
    ...fields,
  };
}

export function heartbeatOf(fields: Partial<Heartbeat> = {}): Heartbeat {
  return {
    inUse: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    diskFreeMib: 900_000,
    diskTotalMib: 1_000_000,
    macosGuests: 0,
    conditions: [{ type: "ParallelsReachable", holds: true, reason: "Reachable", message: "" }],
    inventorySequence: 1,
    ...fields,
  };
}

export function inventoryOf(fields: Partial<Inventory> = {}): Inventory {
  return { sequence: 1, whole: false, vms: [], removedIds: [], images: [], imagesChanged: false, ...fields };
}

export function hostVmOf(fields: Partial<HostVm> = {}): HostVm {
  return {
    id: "11111111-2222-3333-4444-555555555555",
    name: "by hand",
    state: "stopped",
    os: "ubuntu",
    resources: { cpuCount: 2, memoryMib: 2048, diskMib: 20_000 },
    ipAddresses: [],
    macos: false,
    uptimeSeconds: 0,
    ...fields,
  };
}

export function updateOf(
  commandId: string,
  state: CommandUpdate_State,
  fields: Partial<CommandUpdate> = {},
): CommandUpdate {
  return {
    commandId,
    vmUid: "",
    state,
    progress: undefined,
    failure: undefined,
    vm: undefined,
    exec: undefined,
    vmUnknown: false,
    ...fields,
  };
}

export const { STATE_ACCEPTED, STATE_RUNNING, STATE_SUCCEEDED, STATE_FAILED, STATE_REFUSED } = CommandUpdate_State;
