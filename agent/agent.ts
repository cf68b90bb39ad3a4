/**
 * The agent of one Mac, put together: the link to the server on one side, the local Parallels API on the other, and between
 * them the inventory, the preflight, the commands and the leases, with a journal under the last two. It decides nothing about
 * the pool: it says what is there, does what it is told, and says how that went.
 */
import { ChannelCredentials } from "@grpc/grpc-js";
import { type Clock, systemClock } from "../shared/clock.ts";
import { type IdSource, randomIds } from "../shared/ids.ts";
import type { Logger } from "../shared/log.ts";
import { readArchitecture, readBootId, readUptimeMs } from "../shared/machine.ts";
import type { TcpProbe } from "./commands/command-context.ts";
import { type CommandMemory, createCommandMemory } from "./commands/command-memory.ts";
import { CommandDispatcher } from "./commands/dispatcher.ts";
import { EpochFence } from "./commands/epoch-fence.ts";
import { orAborted, startDeadline } from "./deadline.ts";
import { HostState, type Identity } from "./host-state.ts";
import { CertificateKeeper } from "./identity/certificate-keeper.ts";
import type { Identity as HostIdentity, IdentityStore } from "./identity/identity.ts";
import { HostWatch } from "./inventory/host-watch.ts";
import { Inventory } from "./inventory/inventory.ts";
import { createVolatileJournal, type Journal } from "./journal/journal.ts";
import { LeaseKeeper } from "./leases/lease-keeper.ts";
import { DialCounter } from "./link/dial-counter.ts";
import { createGrpcTransport } from "./link/grpc-transport.ts";
import { Link } from "./link/link.ts";
import type { LinkSource } from "./link/link-source.ts";
import type { LinkTransport } from "./link/transport.ts";
import type { ParallelsApi } from "./parallels/api.ts";
import { ConditionLog } from "./preflight/condition-log.ts";
import { Survey } from "./preflight/survey.ts";
import { probeTcp } from "./tcp-probe.ts";
import { type AgentTuning, defaultAgentTuning } from "./tuning.ts";

export interface AgentOptions {
  /** The servers, each as "host:port", tried in turn. */
  readonly servers: readonly string[];
  /** The host's id, the last part of `hosts/{host}`. */
  readonly hostId: string;
  /** The local Parallels API. The agent takes it over and closes it at its end. */
  readonly parallels: ParallelsApi;
  readonly log: Logger;
  readonly agentVersion: string;
  /** Labels of the host. Default none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The address by which people reach the Mac. Default: what the local service reports. */
  readonly address?: string;
  /** What the host proves itself with, and where it is kept. Default: plain text, and nothing to prove. */
  readonly identity?: { readonly identity: HostIdentity; readonly store: IdentityStore };
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** For jitter: a number from 0 up to but not including 1. */
  readonly random: () => number;
  /** Changes with every start of the Mac. Default: the kernel's own. */
  readonly bootId?: string;
  /** In ms since the Mac's start, which `bootId` names; all runs of the agent on it must agree. Default: the kernel's own, or
   * with a `clock` of the caller's that one's. */
  readonly uptimeMs?: () => number;
  /** What earlier runs have left. The agent takes it over and closes it at its end. Default: one that ends with the process. */
  readonly journal?: Journal;
  /** Default: gRPC. */
  readonly transport?: LinkTransport;
  /** Default: a real connection. */
  readonly probeTcp?: TcpProbe;
  /** Figures that are not the defaults. */
  readonly tuning?: Partial<AgentTuning>;
}

export interface Agent {
  readonly hostId: string;
  /** Resolves when the agent has ended: because it was closed, or because the server refused this host for good (the log says why). */
  readonly closed: Promise<void>;
  /** Says Goodbye and ends; VMs run on, commands that are under way stay open. Twice is harmless. */
  close(reason?: string): Promise<void>;
}

/** Starts an agent. Returns at once; everything that can fail is tried again. */
export function startAgent(options: AgentOptions): Agent {
  const agent = new RunningAgent(options);
  return { hostId: options.hostId, closed: agent.run(), close: (reason) => agent.close(reason) };
}

class RunningAgent {
  readonly #options: AgentOptions;
  readonly #tuning: AgentTuning;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #memory: CommandMemory;
  readonly #fence: EpochFence;
  readonly #inventory = new Inventory();
  readonly #watch: HostWatch;
  readonly #survey: Survey;
  readonly #dispatcher: CommandDispatcher;
  readonly #closing = new AbortController();
  readonly #conditionLog: ConditionLog;
  readonly #certificate: CertificateKeeper | undefined;
  #state: HostState | undefined;
  #leases: LeaseKeeper | undefined;
  #link: Link | undefined;
  #running: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    const { parallels, log } = options;
    this.#options = options;
    this.#tuning = { ...defaultAgentTuning, ...options.tuning };
    this.#clock = options.clock ?? systemClock;
    this.#conditionLog = new ConditionLog(log);
    this.#journal = options.journal ?? createVolatileJournal();
    this.#memory = createCommandMemory(this.#journal);
    this.#fence = new EpochFence(this.#memory, log);
    const clock = this.#clock;
    this.#survey = new Survey({ parallels, clock, tuning: this.#tuning.survey, onLooked: () => this.#onLooked() });
    const noteFailure = (): void => this.#survey.noteFailure();
    this.#certificate = this.#createCertificateKeeper();
    this.#watch = new HostWatch({
      parallels,
      inventory: this.#inventory,
      clock,
      log,
      tuning: this.#tuning.watch,
      onChanged: () => {
        this.#leases?.onInventory();
        this.#link?.sendInventory();
      },
      onFirstList: () => this.#link?.hurry(),
      onEventsFlowing: (isFlowing) => this.#survey.noteEvents(isFlowing),
      onCallFailed: noteFailure,
    });
    this.#dispatcher = new CommandDispatcher({
      parallels,
      hostVms: this.#watch,
      probeTcp: options.probeTcp ?? probeTcp,
      memory: this.#memory,
      clock,
      log,
      tuning: this.#tuning.commands,
      parallelCreates: () => this.#state?.parallelCreates ?? 1,
      onAccept: (command) => this.#leases?.onCommand(command),
      report: (update) => this.#link?.sendUpdate(update),
      onCallFailed: noteFailure,
    });
  }

  run(): Promise<void> {
    this.#running ??= this.#runToEnd();
    return this.#running;
  }

  /** Resolves, like `closed`, when nothing of the agent is left. */
  async close(reason = "ShuttingDown"): Promise<void> {
    this.#closing.abort(new Error("the agent is stopping"));
    await this.#link?.close(reason, "The agent is stopping; its VMs run on.");
    await this.run();
  }

  async #runToEnd(): Promise<void> {
    try {
      await this.#run();
    } finally {
      await this.#release();
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const identity = await this.#identify();
    const dials = await DialCounter.open(this.#journal, this.#options.ids ?? randomIds);
    this.#state = new HostState({
      identity,
      inventory: this.#inventory,
      survey: this.#survey,
      memory: this.#memory,
      dials,
      clock: this.#clock,
    });
    if (signal.aborted) return;
    this.#leases = this.#createLeaseKeeper(identity.bootId);
    this.#leases.start();
    this.#dispatcher.resume();
    await this.#lookFirst();
    if (signal.aborted) return;
    this.#link = this.#createLink(this.#state, dials);
    await this.#link.run();
  }

  async #identify(): Promise<Identity> {
    const { hostId, agentVersion, address, labels, bootId, ids } = this.#options;
    return {
      hostId,
      agentVersion,
      architecture: readArchitecture(),
      address: address ?? "",
      labels: labels ?? {},
      agentRunId: (ids ?? randomIds).uid(),
      bootId: bootId ?? (await readBootId()),
    };
  }

  /** Looks at the Mac, so that the first Hello has something to tell; a Mac that does not answer holds it up only so long. */
  async #lookFirst(): Promise<void> {
    const deadline = startDeadline(this.#clock, this.#tuning.firstLookLimitMs, this.#closing.signal);
    this.#watch.start();
    const list = this.#watch.listFresh(deadline.signal).catch(() => undefined);
    await orAborted(Promise.all([list, this.#survey.look()]), deadline.signal).catch(() => undefined);
    deadline.release();
  }

  #createLink(state: HostState, dials: DialCounter): Link {
    const { log, random, servers } = this.#options;
    const transport =
      this.#options.transport ??
      createGrpcTransport({ credentials: () => this.#certificate?.credentials ?? ChannelCredentials.createInsecure() });
    const source = this.#createSource(state, dials);
    return new Link({ servers, transport, source, clock: this.#clock, random, log, tuning: this.#tuning.link });
  }

  #createCertificateKeeper(): CertificateKeeper | undefined {
    const { identity, log, random, servers } = this.#options;
    if (identity === undefined) return undefined;
    return new CertificateKeeper({
      ...identity,
      servers,
      clock: this.#clock,
      random,
      log,
      tuning: this.#tuning.certificate,
      // The session goes on with the old certificate, which ends some day; a new one begins while nothing is at stake.
      onChanged: () => this.#link?.renew("CertificateRenewed", "This host has a new certificate."),
    });
  }

  #createLeaseKeeper(bootId: string): LeaseKeeper {
    const { log, uptimeMs = this.#clock === systemClock ? readUptimeMs : () => this.#clock.monotonicMs() } =
      this.#options;
    return new LeaseKeeper({
      journal: this.#journal,
      hostVms: this.#watch,
      clock: this.#clock,
      readTime: () => ({ bootId, nowMs: uptimeMs(), wallMs: this.#clock.wallMs() }),
      log,
      tuning: this.#tuning.leases,
      endVm: (vm, signal) => this.#dispatcher.endVm(vm, signal),
    });
  }

  #createSource(state: HostState, dials: DialCounter): LinkSource {
    return {
      hello: () => state.hello(),
      heartbeat: () => state.heartbeat(),
      takeInventory: () => this.#inventory.take(),
      onUpdateSent: ({ vm }) => {
        if (vm !== undefined) this.#inventory.correct(vm);
      },
      onWelcome: (welcome) => {
        const refusal = this.#fence.judge(welcome);
        if (refusal === undefined) this.#dispatcher.beginSession(welcome.epoch);
        return refusal;
      },
      onHelloOutdated: () => dials.beginSeries(),
      onLeases: (leases) => this.#leases?.onLeases(leases),
      onSettings: (settings) => {
        state.takeSettings(settings);
        this.#onLooked();
      },
      onCertificateNotice: (notice) => this.#certificate?.onNotice(notice),
      onCommand: (command) => this.#dispatcher.handle(command),
      onCancel: (commandId, reason) => this.#dispatcher.cancel(commandId, reason),
      onSendInventory: (reason) => {
        this.#options.log.info({ reason }, "whole inventory asked for");
        this.#inventory.wantWhole();
        this.#watch.refresh();
      },
      onAcknowledged: (commandId) => this.#memory.acknowledge(commandId),
    };
  }

  /** Something was found out about the Mac: the server is told at once if it is news. */
  #onLooked(): void {
    const state = this.#state;
    if (state === undefined || !this.#survey.hasLooked || this.#closing.signal.aborted) return;
    if (this.#conditionLog.note(state.conditions()).includes("ParallelsReachable")) this.#watch.refresh();
    if (state.hasFactNews) this.#link?.renew("FactsChanged", "The facts of this Mac have changed.");
    else if (state.hasConditionNews) this.#link?.sendHeartbeat();
  }

  /** After the link: what is being done stops where it is, and every timer, call and connection ends. */
  async #release(): Promise<void> {
    this.#closing.abort(new Error("the agent is stopping"));
    await this.#dispatcher.close();
    await this.#certificate?.close();
    await this.#leases?.close();
    this.#watch.close();
    this.#survey.close();
    await this.#options.parallels.close();
    await this.#journal.close();
    this.#options.log.info({ host_id: this.#options.hostId }, "agent stopped");
  }
}
