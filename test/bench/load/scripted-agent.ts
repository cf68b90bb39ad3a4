/**
 * An agent without a Mac behind it: it speaks the link's protocol on a connection of its own, as a real agent does, and does
 * every command at once. So what is measured is the server, and not how fast VMs can be cloned.
 */
import { type ChannelCredentials, credentials, status } from "@grpc/grpc-js";
import { createGrpcTransport } from "../../../agent/link/grpc-transport.ts";
import type { LinkStream, LinkTransport } from "../../../agent/link/transport.ts";
import {
  type Command,
  type ConnectRequest,
  type ConnectResponse,
  type HostVm,
  CommandUpdate_State as State,
} from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { goldenVm, goldenVms, macFacts, macHeartbeat } from "./scripted-mac.ts";

export interface ScriptedAgentOptions {
  /** The last part of `hosts/{host}`. */
  readonly host: string;
  /** Where to dial, `host:port`. */
  readonly server: string;
  /** The time between heartbeats. Absent: as the server says. */
  readonly heartbeatPeriodMs?: number | undefined;
  /** The server has welcomed it. */
  readonly onOpen: () => void;
  /** It has just told the server that a VM is gone. */
  readonly onDeleted: (vmUid: string) => void;
  /** The server has all that it was told up to this message. */
  readonly onAcknowledged?: (sequence: number) => void;
  /** What it proves itself with. Default: the server asks for nothing. */
  readonly credentials?: ChannelCredentials;
}

const plain = createGrpcTransport({ credentials: () => credentials.createInsecure() });
/** Its only inventory is the one in its Hello. */
const inventorySequence = 1;
/** The pause before it dials again, at least and at most: many agents must not come back in the same moment. */
const redialMs = { least: 50, most: 500 };

export class ScriptedAgent {
  private readonly options: ScriptedAgentOptions;
  private readonly transport: LinkTransport;
  /** All VMs, by their names. */
  private readonly vms = new Map<string, HostVm>();
  private stream: LinkStream | undefined;
  private sequence = 0;
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(options: ScriptedAgentOptions) {
    this.options = options;
    const { credentials: shown } = options;
    this.transport = shown === undefined ? plain : createGrpcTransport({ credentials: () => shown });
    for (const [os, name] of Object.entries(goldenVms)) this.vms.set(name, goldenVm(name, os === "macos"));
  }

  /** Dials, and dials again whenever it is cut off. */
  connect(): void {
    this.sequence = 0;
    this.stream = this.transport.open(this.options.server, {
      onMessage: (message) => this.receive(message),
      onWritable: () => undefined,
      onEnd: (error) => this.endSession(error),
    });
    this.sayHello();
  }

  private endSession(error: (Error & { readonly code?: number }) | undefined): void {
    clearTimeout(this.heartbeat);
    // A server that was killed is away, which is part of a scenario; anything else is a fault of one of the two.
    if (error !== undefined && error.code !== status.UNAVAILABLE) throw error;
    setTimeout(() => this.connect(), redialMs.least + Math.random() * (redialMs.most - redialMs.least));
  }

  private receive({ acknowledged, payload }: ConnectResponse): void {
    this.options.onAcknowledged?.(acknowledged);
    switch (payload?.$case) {
      case "welcome": {
        const askedMs = payload.welcome.settings?.heartbeatPeriodMs ?? 0;
        const periodMs = this.options.heartbeatPeriodMs ?? askedMs;
        // The first one at any moment of the period, so that hosts that came together do not speak together for ever.
        this.heartbeat = setTimeout(() => this.beat(periodMs), Math.random() * periodMs);
        this.options.onOpen();
        return;
      }
      case "command":
        this.carryOut(payload.command);
        return;
      default:
        // Acknowledgements and settings: it keeps nothing that could be lost.
        return;
    }
  }

  private sayHello(): void {
    const { host } = this.options;
    const vms = [...this.vms.values()];
    this.say({
      $case: "hello",
      hello: {
        protocolVersion: 1,
        hostId: host,
        facts: { ...macFacts, hardwareId: `hardware-${host}` },
        bootId: `boot-${host}`,
        agentRunId: `run-${host}`,
        inventory: {
          sequence: inventorySequence,
          whole: true,
          vms,
          removedIds: [],
          images: [],
          imagesChanged: false,
        },
        heartbeat: macHeartbeat(inventorySequence, vms),
        commands: [],
        labels: {},
        dialNumber: undefined,
      },
    });
  }

  /** Sends a heartbeat now; the number of the message. */
  beatNow(): number {
    this.say({ $case: "heartbeat", heartbeat: macHeartbeat(inventorySequence, this.vms.values()) });
    return this.sequence;
  }

  private beat(periodMs: number): void {
    this.beatNow();
    this.heartbeat = setTimeout(() => this.beat(periodMs), periodMs);
  }

  private carryOut(command: Command): void {
    this.report(command, State.STATE_ACCEPTED);
    const { action, hostVmName: name, vmUid } = command;
    switch (action?.$case) {
      case "create":
        this.vms.set(name, {
          id: `{${name}}`,
          name,
          state: "stopped",
          os: action.create.macos ? "macosx" : "linux",
          resources: action.create.resources,
          ipAddresses: [],
          macos: action.create.macos,
          uptimeSeconds: 0,
        });
        break;
      case "start":
        this.put(name, { state: "running", ipAddresses: ["192.0.2.17"] });
        break;
      case "delete":
        this.vms.delete(name);
        break;
      default:
        throw new Error(`the scripted agent cannot ${action?.$case ?? "do nothing"}`);
    }
    this.report(command, State.STATE_SUCCEEDED);
    if (action.$case === "delete") this.options.onDeleted(vmUid);
  }

  private put(name: string, fields: Partial<HostVm>): void {
    const vm = this.vms.get(name);
    if (vm === undefined) throw new Error(`${this.options.host} has no VM ${name}`);
    this.vms.set(name, { ...vm, ...fields });
  }

  private report({ id, vmUid, hostVmName }: Command, state: State): void {
    const vm = state === State.STATE_SUCCEEDED ? this.vms.get(hostVmName) : undefined;
    this.say({
      $case: "commandUpdate",
      commandUpdate: {
        commandId: id,
        vmUid,
        state,
        progress: undefined,
        failure: undefined,
        vm,
        exec: undefined,
        vmUnknown: false,
      },
    });
  }

  private say(payload: NonNullable<ConnectRequest["payload"]>): void {
    this.sequence += 1;
    this.stream?.write({ sequence: this.sequence, payload });
  }
}
