/**
 * One stream of an agent, from its first message to its end. It makes events of what the agent says and hands them to the
 * engine in order, acknowledges what is durable, and takes what is to be sent. It judges neither VMs nor hosts: that is the
 * pool's. When it opens and when it has ended it tells its owner, which knows the other sessions.
 */
import { status } from "@grpc/grpc-js";
import { required } from "../../shared/assert.ts";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type {
  CertificateNotice,
  CommandUpdate,
  ConnectRequest,
  Lease,
  Settings,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandId, HostId, IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import type { DialNumber } from "../pool/dial.ts";
import type { HostConnected } from "../pool/events/host-reports.ts";
import type { HelloRefusal } from "../pool/events.ts";
import type { HostRecord } from "../pool/host.ts";
import { isCallId } from "./call-id.ts";
import type { CommandMessage } from "./command-messages.ts";
import {
  certificateEnded,
  type Ending,
  gone,
  helloMissing,
  helloOutdated,
  hostHasVms,
  hostMismatch,
  invalidMessage,
  notServing,
  refused,
  silent,
  tooSlow,
  unservedProtocol,
} from "./endings.ts";
import { type Introduction, readHello } from "./host-messages.ts";
import { Inbox } from "./inbox.ts";
import { farewellMaxMs, helloMaxMs, openingMaxMs, protocolVersion } from "./limits.ts";
import { type AgentCall, Outbox } from "./outbox.ts";
import type { HostPeer } from "./peer.ts";
import { Reception } from "./reception.ts";
import { resetStream } from "./stream-reset.ts";
import { Unacceptable } from "./unacceptable.ts";

/** What a session needs of the world around it. */
export interface SessionWorld {
  readonly engine: EngineApi;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly serverVersion: string;
}

/** The sessions' owner: what one session must know of the others. */
export interface SessionOwner {
  /** Takes the host for the session, or says why it cannot have it. `connect` is called before an older session ends. */
  claim(session: Session, who: Identity, connect: () => void): Ending | undefined;
  /** What the server wants of the host's agent at this time. */
  settingsFor(host: HostRecord): Settings;
  /** What the host is told about renewing its certificate. */
  noticeFor(peer: HostPeer): CertificateNotice | undefined;
  /** Why a host with this certificate is not let in, though it is good in itself. */
  refusalOf(peer: HostPeer): Ending | undefined;
  /** After how many periods without a message a session ends. */
  readonly silentAfterPeriods: number;
  /** The session is open: what is under way on its host can be sent. */
  onOpen(session: Session): void;
  /** How a call that is no command of the pool's is doing. False: it is none of those. */
  onCallUpdate(session: Session, update: CommandUpdate): boolean;
  /** Nothing more is said on the session. */
  onEnd(session: Session): void;
  /** The stream under it has closed. */
  onClosed(session: Session): void;
}

/** By what one agent is told from another. */
export interface Identity {
  readonly host: HostId;
  /** Empty if it cannot be told. */
  readonly hardwareId: string;
  readonly bootId: string;
  readonly runId: string;
  /** Absent: the agent does not count its dials. */
  readonly dial?: DialNumber | undefined;
}

export class Session {
  readonly id: string;
  /** Commands of the pool's that are this session's to send, or were sent, and have not ended. */
  readonly commands = new Map<CommandId, "preparing" | "sent">();
  /** Commands that the agent was at when the session opened. */
  unfinished: readonly CommandId[] = [];
  /** Who the agent is; known once it has said Hello. */
  identity: Identity | undefined;
  /** The session's fence; 0 until it is open. */
  epoch = 0;
  /** The settings that the agent was told last. */
  settings: Settings | undefined;
  /** What the certificate says of the host; nothing where hosts are not asked for one. */
  readonly peer: HostPeer | undefined;

  private state: "waiting" | "opening" | "open" | "ended" = "waiting";
  private readonly call: AgentCall;
  private readonly world: SessionWorld;
  private readonly owner: SessionOwner;
  private readonly outbox: Outbox;
  private readonly inbox: Inbox;
  private reception: Reception | undefined;
  private readonly startedAtMs: number;
  /** When the last message came, by this server's clock: the only one that counts. */
  private heardAtMs: number;
  private endedAtMs = 0;
  private isQuiet = false;

  constructor(
    call: AgentCall,
    {
      peer,
      world,
      owner,
    }: { readonly peer: HostPeer | undefined; readonly world: SessionWorld; readonly owner: SessionOwner },
  ) {
    this.id = world.ids.uid();
    this.peer = peer;
    this.call = call;
    this.world = world;
    this.owner = owner;
    this.startedAtMs = world.clock.monotonicMs();
    this.heardAtMs = this.startedAtMs;
    this.outbox = new Outbox(call, () => world.clock.monotonicMs());
    this.inbox = new Inbox(call, {
      onDurable: (sequence) => this.outbox.acknowledge(sequence),
      onFailure: () => this.end(notServing("the server cannot take what agents say at the moment")),
    });
    call.on("data", (message: ConnectRequest) => this.onMessage(message));
    call.on("end", () => this.end(gone("StreamBroken", "the agent closed its side")));
    call.on("cancelled", () => {
      this.end(gone("StreamBroken", "the stream broke off"));
      this.owner.onClosed(this);
    });
  }

  get isOpen(): boolean {
    return this.state === "open";
  }

  sendCommand(command: CommandMessage): void {
    this.outbox.send({ $case: "command", command: { ...command, epoch: this.epoch } });
  }

  sendCancel(commandId: CommandId, reason: string): void {
    this.outbox.send({ $case: "cancelCommand", cancelCommand: { commandId, reason } });
  }

  /** @param isWhole whether these are all leases of the host. */
  sendLeases(leases: readonly Lease[], isWhole: boolean): void {
    this.outbox.send({ $case: "leases", leases: { whole: isWhole, leases: [...leases] } });
  }

  sendSettings(settings: Settings): void {
    this.settings = settings;
    this.outbox.send({ $case: "settings", settings });
  }

  /** Tells the host anew about its certificate. */
  sendNotice(): void {
    if (this.state !== "open" || this.peer === undefined) return;
    const certificateNotice = this.owner.noticeFor(this.peer);
    if (certificateNotice !== undefined) this.outbox.send({ $case: "certificateNotice", certificateNotice });
  }

  /** Looks at what time alone can bring about: silence, stalls, questions to repeat. */
  check(nowMs: number): void {
    switch (this.state) {
      case "waiting":
        if (nowMs - this.startedAtMs > helloMaxMs) this.end(helloMissing());
        return;
      case "opening":
        if (nowMs - this.heardAtMs > openingMaxMs) this.end(notServing("the session did not become durable in time"));
        return;
      case "open":
        this.checkOpen(nowMs);
        return;
      default:
        if (nowMs - this.endedAtMs > farewellMaxMs) resetStream(this.call);
    }
  }

  /** Ends the session; a second end changes nothing. */
  end(ending: Ending): void {
    if (this.state === "ended") return;
    const wasOpen = this.state === "open";
    this.state = "ended";
    this.isQuiet = ending.isQuiet === true;
    this.endedAtMs = this.world.clock.monotonicMs();
    this.sayFarewell(ending);
    if (wasOpen) {
      this.logger().info({ reason: ending.reason, duration_ms: this.endedAtMs - this.startedAtMs }, "session ended");
      if (!this.isQuiet) this.reportGone();
    } else {
      this.logger().info({ reason: ending.reason, detail: ending.message }, "session refused");
    }
    this.owner.onEnd(this);
  }

  private sayFarewell(ending: Ending): void {
    const { farewell, message } = ending;
    if (farewell.kind === "goodbye") {
      const goodbye = { reason: ending.reason, message, retryAfterMs: farewell.retryAfterMs };
      this.outbox.send({ $case: "goodbye", goodbye });
    }
    this.outbox.close();
    if (farewell.kind === "status" && farewell.code !== status.OK) {
      this.call.emit("error", { code: farewell.code, details: `${ending.reason}: ${message}` });
    } else {
      this.call.end();
    }
    if (farewell.kind === "reset") resetStream(this.call);
    // Whatever still comes is read and dropped, so that the stream can close.
    this.call.resume();
  }

  private onMessage(message: ConnectRequest): void {
    try {
      if (this.state === "waiting") this.receiveHello(message);
      else if (this.state === "opening") this.inbox.number(message.sequence);
      else if (this.reception?.receive(message) === true) this.heardAtMs = this.world.clock.monotonicMs();
    } catch (error) {
      if (!(error instanceof Unacceptable)) throw error;
      this.end(invalidMessage(error.message));
    }
  }

  private receiveHello({ sequence, payload }: ConnectRequest): void {
    if (payload?.$case !== "hello") throw new Unacceptable("the first message is no Hello");
    this.heardAtMs = this.world.clock.monotonicMs();
    this.inbox.number(sequence);
    if (payload.hello.protocolVersion !== protocolVersion) {
      this.end(unservedProtocol(payload.hello.protocolVersion));
      return;
    }
    this.open(readHello(payload.hello), sequence);
  }

  private open(who: Introduction, sequence: number): void {
    const { bootId, dial, facts, host, runId } = who;
    const stranger =
      this.peer && (this.peer.host === host ? this.owner.refusalOf(this.peer) : hostMismatch(this.peer.host, host));
    if (stranger !== undefined) {
      this.end(stranger);
      return;
    }
    this.identity = { host, hardwareId: facts.hardwareId, bootId, runId, dial };
    const commands = who.commands.filter((report) => !isCallId(report.commandId));
    this.unfinished = commands
      .filter(({ state }) => state === "ACCEPTED" || state === "RUNNING")
      .map(({ commandId }) => commandId);
    const event: HostConnected = {
      type: "host-connected",
      id: host,
      uid: this.world.ids.uid(),
      sessionId: this.id,
      ...(this.peer === undefined ? {} : { certificateIssueTimeMs: this.peer.issueTimeMs }),
      ...(dial === undefined ? {} : { dial }),
      facts,
      agentLabels: who.labels,
      ...(who.inventory === undefined ? {} : { inventory: who.inventory }),
      use: who.use,
      // Calls ended with the session that they were sent in.
      commands,
    };
    const refusal = this.owner.claim(this, this.identity, () => {
      this.state = "opening";
      this.world.engine.submit(event).then(
        (connected) => this.welcome(connected, who.inventorySequence, sequence),
        (error: unknown) => this.end(refusalOf(error)),
      );
    });
    if (refusal !== undefined) this.end(refusal);
  }

  private welcome(host: HostRecord | HelloRefusal, inventorySequence: number, sequence: number): void {
    if (typeof host === "string") {
      const name = required(this.identity, "host of a Hello").host;
      this.end(host === "outdated" ? helloOutdated() : hostHasVms(name));
      return;
    }
    this.epoch = host.epoch;
    if (this.state !== "opening") {
      // It ended while it was becoming durable. If a newer session has the host, what is said here is void.
      if (!this.isQuiet) this.reportGone();
      return;
    }
    // While the session was becoming durable nobody could end it as one that is open.
    const revocation = this.peer && this.owner.refusalOf(this.peer);
    if (revocation !== undefined) {
      this.end(revocation);
      this.reportGone();
      return;
    }
    this.state = "open";
    const { clock, engine, serverVersion } = this.world;
    this.reception = new Reception({
      session: this,
      host: host.id,
      inventorySequence,
      inbox: this.inbox,
      engine,
      log: this.logger(),
      monotonicMs: () => clock.monotonicMs(),
      askInventory: (reason) => this.outbox.send({ $case: "sendInventory", sendInventory: { reason } }),
      onCallUpdate: (update) => this.owner.onCallUpdate(this, update),
    });
    const settings = this.owner.settingsFor(host);
    this.settings = settings;
    this.outbox.acknowledge(sequence);
    const welcome = { sessionId: this.id, epoch: this.epoch, settings, serverVersion };
    this.outbox.send({ $case: "welcome", welcome });
    this.sendNotice();
    const { agentVersion } = host.facts ?? {};
    this.logger().info({ epoch: this.epoch, agent_version: agentVersion, peer: this.call.getPeer() }, "session opened");
    this.owner.onOpen(this);
  }

  private checkOpen(nowMs: number): void {
    const silentMs = nowMs - this.heardAtMs;
    const periodMs = this.settings?.heartbeatPeriodMs ?? 0;
    if (silentMs > this.owner.silentAfterPeriods * periodMs) this.end(silent(silentMs));
    else if (this.outbox.isStalled(nowMs)) this.end(tooSlow());
    else if (this.peer !== undefined && this.peer.expireTimeMs <= this.world.clock.wallMs())
      this.end(certificateEnded());
    else this.reception?.check(nowMs);
  }

  private reportGone(): void {
    if (this.identity === undefined) return;
    const event = { type: "host-disconnected", id: this.identity.host, epoch: this.epoch } as const;
    // If the engine cannot take it, the host's own deadline of silence brings about the same.
    this.world.engine.submit(event).catch((error: unknown) => {
      this.logger().warn({ err: error }, "end of session not taken");
    });
  }

  private logger(): Logger {
    return this.world.log.child({ host_id: this.identity?.host, session_id: this.id });
  }
}

function refusalOf(error: unknown): Ending {
  return error instanceof MeridianError && error.code !== "UNAVAILABLE" && error.code !== "INTERNAL"
    ? refused(error.message)
    : notServing("the server cannot open sessions at the moment");
}
