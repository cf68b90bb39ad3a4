/**
 * The server's side of the link: takes the agents' streams, keeps the sessions of all hosts, and looks after them at one
 * steady beat, whatever their number.
 */
import type { ServiceDefinition } from "@grpc/grpc-js";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import {
  type AgentServiceServer,
  AgentServiceService,
  type CertificateNotice,
  type CommandUpdate,
  type Settings,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { asHostId, type IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { DurableBatch, EngineApi } from "../engine/engine-api.ts";
import { isRevoked } from "../pool/enrolment.ts";
import type { HostRecord } from "../pool/host.ts";
import { heartbeatPeriodMs } from "../pool/limits.ts";
import { defaultSettings } from "../pool/settings/settings.ts";
import type { OpenCredentials } from "./command-messages.ts";
import { Dispatch } from "./dispatch.ts";
import {
  certificateMissing,
  type Ending,
  hostDeleted,
  hostRevoked,
  notServing,
  serverLeaving,
  tooManyStreams,
} from "./endings.ts";
import type { HostCalls } from "./host-calls.ts";
import { LeaseNotices } from "./lease-notices.ts";
import { diskReserveMib, leavingMaxMs, periodChangeMin, streamsMax, sweepPeriodMs } from "./limits.ts";
import type { AgentCall } from "./outbox.ts";
import type { HostPeer, IdentifyPeer } from "./peer.ts";
import { Registry } from "./registry.ts";
import { type Identity, Session, type SessionOwner } from "./session.ts";
import { SessionCalls } from "./session-calls.ts";

export interface SessionsOptions {
  readonly engine: EngineApi;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** Opens the credentials of catalogs for a command. */
  readonly openCredentials: OpenCredentials;
  /** Told to the agents. */
  readonly serverVersion: string;
  readonly settings?: SessionSettings;
  /** How hosts prove who they are; absent: they are not asked. */
  readonly security?: SessionSecurity | undefined;
}

export interface SessionSecurity {
  readonly identify: IdentifyPeer;
  /** What a host with this certificate is told about renewing it. */
  readonly notice: (peer: HostPeer) => CertificateNotice;
}

export interface SessionSettings {
  /** Disk below which a host takes no new VM, in MiB. Default 20 GiB. */
  readonly diskReserveMib?: number;
}

export interface Sessions {
  /** What to add to a grpc-js server that was made with `agentServerOptions`. */
  readonly service: {
    readonly definition: ServiceDefinition;
    readonly implementation: Pick<AgentServiceServer, "connect">;
  };
  readonly calls: HostCalls;
  /**
   * Takes no new streams, says goodbye on all, and resolves when they have closed, at the latest after a few seconds. The
   * pool is not told that the hosts have gone.
   * @param reason a sentence for the agents.
   */
  closeAll(reason: string): Promise<void>;
  /** Tells all hosts anew about their certificates: the CA has changed. */
  noticeAll(): void;
}

export function createSessions(options: SessionsOptions): Sessions {
  return new AgentSessions(options);
}

class AgentSessions implements Sessions, SessionOwner {
  readonly service = {
    definition: AgentServiceService,
    implementation: { connect: (call: AgentCall) => this.accept(call) },
  };
  readonly calls: SessionCalls;
  private readonly options: SessionsOptions;
  /** The time between heartbeats that a pool of this size asks for. */
  silentAfterPeriods = defaultSettings.hosts.silentAfterPeriods;
  private periodMs = heartbeatPeriodMs(0);
  private readonly registry = new Registry();
  /** Every stream that has not closed, whether its session is open or not. */
  private readonly streams = new Set<Session>();
  private readonly dispatch: Dispatch;
  private readonly leases: LeaseNotices;
  private readonly subscription: Cancellable;
  private sweepTimer: Cancellable;
  private leaving: Leaving | undefined;

  constructor(options: SessionsOptions) {
    const { engine, ids, clock, log } = options;
    this.options = options;
    const findSession = this.registry.find.bind(this.registry);
    this.calls = new SessionCalls({ ids, clock, log, findSession });
    this.dispatch = new Dispatch({ engine, log, findSession, openCredentials: options.openCredentials });
    this.leases = new LeaseNotices({ engine, log, findSession });
    this.subscription = engine.onDurable((batch) => this.onBatch(batch));
    this.sweepTimer = this.scheduleSweep();
  }

  closeAll(reason: string): Promise<void> {
    if (this.leaving !== undefined) return this.leaving.closed;
    const ended = Promise.withResolvers<void>();
    const limit = this.options.clock.after(leavingMaxMs, () => this.finishLeaving());
    this.leaving = { closed: ended.promise, finish: ended.resolve, limit };
    this.dispatch.close();
    this.subscription.cancel();
    for (const session of this.streams) session.end(serverLeaving(reason));
    // The beat goes on until all streams have closed; it resets those that do not.
    if (this.streams.size === 0) this.finishLeaving();
    return ended.promise;
  }

  noticeAll(): void {
    for (const session of this.streams) session.sendNotice();
  }

  // --- As the owner of its sessions.

  noticeFor(peer: HostPeer): CertificateNotice | undefined {
    return this.options.security?.notice(peer);
  }

  refusalOf({ host, issueTimeMs }: HostPeer): Ending | undefined {
    let refusal: Ending | undefined;
    // It reads at once. Whoever is refused hears of a revocation a moment before it is durable, which harms nobody.
    const reading = this.options.engine.read(({ credentials }) => {
      if (isRevoked(credentials.get(host), issueTimeMs)) refusal = hostRevoked(host);
    });
    // An engine that is stopping opens no session either.
    reading.catch(() => undefined);
    return refusal;
  }

  claim(session: Session, who: Identity, connect: () => void): Ending | undefined {
    return this.registry.claim(session, who, connect);
  }

  settingsFor(host: HostRecord): Settings {
    this.measurePool();
    return {
      heartbeatPeriodMs: this.periodMs,
      parallelCreates: host.spec.limits.parallelCreates,
      diskReserveMib: this.options.settings?.diskReserveMib ?? diskReserveMib,
    };
  }

  onOpen(session: Session): void {
    const host = session.identity?.host;
    if (host === undefined) return;
    // Leases go first: what is sent after them may be about VMs whose time is nearly over.
    void this.leases.tellAll(session, host);
    this.dispatch.catchUp(session, host);
  }

  onCallUpdate(session: Session, update: CommandUpdate): boolean {
    return this.calls.onUpdate(session, update);
  }

  onEnd(session: Session): void {
    this.registry.release(session);
    this.calls.onEnd(session);
  }

  onClosed(session: Session): void {
    this.streams.delete(session);
    if (this.leaving !== undefined && this.streams.size === 0) this.finishLeaving();
  }

  private accept(call: AgentCall): void {
    const { security } = this.options;
    const peer = security?.identify(call);
    const session = new Session(call, { peer, world: this.options, owner: this });
    if (this.leaving !== undefined) {
      session.end(notServing("the server is stopping"));
      return;
    }
    if (this.streams.size >= streamsMax) {
      session.end(tooManyStreams());
      return;
    }
    if (security !== undefined && peer === undefined) {
      session.end(certificateMissing());
      return;
    }
    this.streams.add(session);
  }

  /** Tells agents when the operator changes what concerns them, and lets go of hosts that are deleted. */
  private onBatch(batch: DurableBatch): void {
    this.leases.onBatch(batch);
    for (const change of batch.changes) {
      if (change.kind === "credential") this.endIfRevoked(change.id);
      if (change.kind !== "host" || change.before === undefined) continue;
      const session = this.registry.find(change.before.id);
      if (session === undefined) continue;
      if (change.after === undefined) {
        this.options.log.warn(
          { host_id: change.before.id, session_id: session.id },
          "host removed by force while connected",
        );
        session.end(hostDeleted(change.before.id));
      } else if (session.settings?.parallelCreates !== change.after.spec.limits.parallelCreates) {
        session.sendSettings(this.settingsFor(change.after));
      }
    }
  }

  private endIfRevoked(host: string): void {
    const session = this.registry.find(asHostId(host));
    const refusal = session?.peer === undefined ? undefined : this.refusalOf(session.peer);
    if (refusal !== undefined) session?.end(refusal);
  }

  private scheduleSweep(): Cancellable {
    return this.options.clock.after(sweepPeriodMs, () => {
      this.sweep();
      this.sweepTimer = this.scheduleSweep();
    });
  }

  private sweep(): void {
    const nowMs = this.options.clock.monotonicMs();
    this.measurePool();
    for (const session of this.streams) {
      session.check(nowMs);
      this.adaptPeriod(session);
    }
  }

  /** Learns how many hosts there are. The number is used at once: it tells nobody anything. */
  private measurePool(): void {
    const measured = this.options.engine.read((view) => {
      this.periodMs = heartbeatPeriodMs(view.hosts.size);
      this.silentAfterPeriods = view.settings.hosts.silentAfterPeriods;
    });
    // An engine that is stopping has no more hosts to tell of.
    measured.catch(() => undefined);
  }

  private adaptPeriod(session: Session): void {
    const { periodMs } = this;
    const { settings } = session;
    if (settings === undefined || !session.isOpen) return;
    if (Math.abs(periodMs - settings.heartbeatPeriodMs) <= periodChangeMin * settings.heartbeatPeriodMs) return;
    session.sendSettings({ ...settings, heartbeatPeriodMs: periodMs });
  }

  private finishLeaving(): void {
    this.sweepTimer.cancel();
    this.leaving?.limit.cancel();
    this.leaving?.finish();
  }
}

interface Leaving {
  readonly closed: Promise<void>;
  readonly finish: () => void;
  readonly limit: Cancellable;
}
