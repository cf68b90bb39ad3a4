/**
 * The simulated network between agents and server: streams whose messages keep their order and take their time, and links
 * that cut, stall and delay, in one direction or both. What is written into a broken stream is lost without a word, and each
 * side hears of the break in its own time, as with TCP and keepalive pings. Messages cross it as bytes.
 */
import type { LinkStream, LinkStreamEvents, LinkTransport } from "../../agent/link/transport.ts";
import {
  type Command,
  type CommandUpdate,
  ConnectRequest,
  ConnectResponse,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Random } from "../../simulator/random.ts";
import type { Life } from "./life.ts";
import type { Scheduler } from "./scheduler.ts";
import { ServerCall } from "./server-call.ts";

/** What is wrong with the link of one Mac. */
export interface LinkState {
  /** The direction is silent: what is sent waits. */
  isUpStalled: boolean;
  isDownStalled: boolean;
  /** The longest time that a message takes. */
  delayMaxMs: number;
  /** So long the next stream's way to the server holds up what it carries, in ms. */
  holdNextMs: number;
  /** The last moment at which something was wrong, or a stream began. */
  troubledMs: number;
}

/** Who takes the streams; nobody while the server is down. */
export interface Listener {
  readonly life: Life;
  accept(call: ServerCall): void;
}

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly note: (text: string) => void;
  /** What an agent says of its commands, when it says it. */
  readonly onUpdate: (host: string, update: CommandUpdate) => void;
  /** What the server says to an agent, when it says it. */
  readonly onSent: (payload: ConnectResponse["payload"]) => void;
  /** The same, when the agent hears it, which was sent at `sentMs`. */
  readonly onTold: (host: string, sentMs: number, payload: ConnectResponse["payload"]) => void;
}

/** The longest time that a message takes if nothing is wrong. */
const healthyDelayMs = 5;
/** After so long without an answer to a ping each side gives the stream up. */
const keepaliveMs = 15_000;
/** Commands of earlier streams that a confused network may deliver again. */
const rememberedMax = 16;

export class Network {
  listener: Listener | undefined;
  readonly #options: NetworkOptions;
  readonly #links = new Map<string, LinkState>();
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #remembered = new Map<string, { readonly stream: Stream; readonly command: Command }[]>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  link(host: string): LinkState {
    let link = this.#links.get(host);
    if (link === undefined) {
      link = { isUpStalled: false, isDownStalled: false, delayMaxMs: healthyDelayMs, holdNextMs: 0, troubledMs: 0 };
      this.#links.set(host, link);
    }
    return link;
  }

  /** The transport of the agent of one Mac, as long as that lives. */
  transport(host: string, life: Life): LinkTransport {
    return {
      open: (_address, events) => {
        const stream = new Stream(this, { host, life, events, ...this.#options });
        this.#streamsOf(host).add(stream);
        this.noteTrouble(host);
        return stream;
      },
    };
  }

  /** Breaks every stream of the host: both sides hear of it, each in its time. */
  cut(host: string): void {
    this.noteTrouble(host);
    for (const stream of this.#streamsOf(host)) stream.breakOff();
  }

  /** Breaks every stream: the server is gone. */
  cutAll(): void {
    for (const host of this.#streams.keys()) this.cut(host);
  }

  /** Something is wrong with the link, or was until now. */
  noteTrouble(host: string): void {
    this.link(host).troubledMs = this.#options.scheduler.nowMs;
  }

  /** When something was last wrong with the link. */
  troubledMs(host: string): number {
    const { delayMaxMs, isDownStalled, isUpStalled, troubledMs } = this.link(host);
    return isDownStalled || isUpStalled || delayMaxMs > healthyDelayMs ? this.#options.scheduler.nowMs : troubledMs;
  }

  heal(host: string): void {
    Object.assign(this.link(host), { isUpStalled: false, isDownStalled: false, delayMaxMs: healthyDelayMs });
    this.noteTrouble(host);
    this.pump(host);
  }

  pump(host: string): void {
    for (const stream of this.#streamsOf(host)) stream.pump();
  }

  /** Delivers a command of an earlier stream of the host once more, in the stream that is open now. */
  repeatOldCommand(host: string): boolean {
    const stream = [...this.#streamsOf(host)].at(-1);
    // Within one stream nothing comes twice.
    const older = (this.#remembered.get(host) ?? []).filter((one) => one.stream !== stream);
    const repeated = older[Math.floor(this.#options.random.fraction() * older.length)];
    return stream !== undefined && repeated !== undefined && stream.repeat(repeated.command);
  }

  remember(host: string, stream: Stream, command: Command): void {
    const commands = this.#remembered.get(host) ?? [];
    commands.push({ stream, command });
    if (commands.length > rememberedMax) commands.shift();
    this.#remembered.set(host, commands);
  }

  forget(host: string, stream: Stream): void {
    this.#streamsOf(host).delete(stream);
  }

  #streamsOf(host: string): Set<Stream> {
    let streams = this.#streams.get(host);
    if (streams === undefined) {
      streams = new Set();
      this.#streams.set(host, streams);
    }
    return streams;
  }
}

interface StreamOptions extends NetworkOptions {
  readonly host: string;
  /** The agent's. */
  readonly life: Life;
  readonly events: LinkStreamEvents;
}

/** One stream: what is on its way in each direction, and which side has let go of it. */
class Stream implements LinkStream {
  readonly #network: Network;
  readonly #options: StreamOptions;
  readonly #up: Lane;
  readonly #down: Lane;
  #call: ServerCall | undefined;
  #isAgentDone = false;
  #isBroken = false;
  /** The server has no part in it any more. */
  #isOver = false;
  /** Highest acknowledgement that went down, which a repeated command carries too. */
  #acknowledged = 0;

  constructor(network: Network, options: StreamOptions) {
    this.#network = network;
    this.#options = options;
    const link = network.link(options.host);
    const heldUntilMs = options.scheduler.nowMs + link.holdNextMs;
    link.holdNextMs = 0;
    this.#up = new Lane(options, () => link.isUpStalled || options.scheduler.nowMs < heldUntilMs, link);
    options.scheduler.after(heldUntilMs - options.scheduler.nowMs, () => this.#up.pump());
    this.#down = new Lane(options, () => link.isDownStalled, link);
    this.#up.carry(() => this.#arrive());
    options.scheduler.after(keepaliveMs, () => this.#ping());
  }

  // --- The agent's side.

  write(message: ConnectRequest): boolean {
    if (this.#isAgentDone || this.#options.life.isOver) return true;
    if (message.payload?.$case === "commandUpdate") {
      this.#options.onUpdate(this.#options.host, message.payload.commandUpdate);
    }
    const bytes = ConnectRequest.encode(message).finish();
    this.#up.carry(() => this.#call?.receive(ConnectRequest.decode(bytes)));
    return true;
  }

  end(): void {
    if (!this.#isAgentDone) this.#up.carry(() => this.#call?.finish());
  }

  destroy(): void {
    if (this.#isAgentDone) return;
    this.#isAgentDone = true;
    this.#up.carry(() => this.#serverHearsOfBreak());
  }

  // --- The server's side.

  writeDown(message: ConnectResponse): void {
    this.#acknowledged = message.acknowledged;
    if (message.payload?.$case === "command") this.#network.remember(this.#options.host, this, message.payload.command);
    this.#options.onSent(message.payload);
    const sentMs = this.#options.scheduler.nowMs;
    this.#sendDown(message, () => this.#options.onTold(this.#options.host, sentMs, message.payload));
  }

  #sendDown(message: ConnectResponse, onTold: () => void = () => undefined): void {
    const bytes = ConnectResponse.encode(message).finish();
    this.#down.carry(() => {
      if (this.#isAgentDone || this.#options.life.isOver) return;
      onTold();
      this.#options.life.do(() => this.#options.events.onMessage(ConnectResponse.decode(bytes)));
    });
  }

  endDown(error: Error | undefined): void {
    this.#down.carry(() => this.#agentHearsOfEnd(error));
  }

  // --- The network's.

  /** Nothing gets through any more; each side notices when it does. */
  breakOff(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    const { scheduler, random } = this.#options;
    // What has left the Mac may still come, and late.
    if (random.chance(0.5)) this.#up.drop();
    else this.#up.close();
    this.#down.drop();
    scheduler.after(random.between(0, keepaliveMs), () => this.#agentHearsOfEnd(new Error("the connection broke")));
    scheduler.after(random.between(0, keepaliveMs), () => this.#serverHearsOfBreak());
  }

  pump(): void {
    this.#up.pump();
    this.#down.pump();
  }

  repeat(command: Command): boolean {
    if (this.#call === undefined || this.#isBroken) return false;
    this.#sendDown({ acknowledged: this.#acknowledged, payload: { $case: "command", command } });
    return true;
  }

  #arrive(): void {
    const { listener } = this.#network;
    if (listener === undefined || listener.life.isOver) {
      this.#down.carry(() => this.#agentHearsOfEnd(new Error("nobody listens there")));
      return;
    }
    this.#call = new ServerCall(this, listener.life);
    listener.accept(this.#call);
  }

  /** A direction that has been silent for too long is found out by the pings. */
  #ping(): void {
    if (this.#isBroken) return;
    const isHeldUp = this.#up.heldForMs > keepaliveMs || this.#down.heldForMs > keepaliveMs;
    if (isHeldUp) this.breakOff();
    else if (!this.#isOver) this.#options.scheduler.after(keepaliveMs / 3, () => this.#ping());
  }

  #agentHearsOfEnd(error: Error | undefined): void {
    if (this.#isAgentDone) return;
    this.#isAgentDone = true;
    this.#options.life.do(() => this.#options.events.onEnd(error));
    if (!this.#isBroken) this.#up.carry(() => this.#serverHearsOfBreak());
  }

  #serverHearsOfBreak(): void {
    this.#isOver = true;
    this.#network.forget(this.#options.host, this);
    this.#call?.cancelled();
    this.#call = undefined;
  }
}

/** One direction of a stream: first in, first out, each message at its time. */
class Lane {
  readonly #options: NetworkOptions;
  readonly #isStalled: () => boolean;
  readonly #link: LinkState;
  readonly #queue: { readonly atMs: number; readonly deliver: () => void }[] = [];
  #lastMs = 0;
  #heldSinceMs: number | undefined;
  #isDropped = false;
  #isClosed = false;

  constructor(options: NetworkOptions, isStalled: () => boolean, link: LinkState) {
    this.#options = options;
    this.#isStalled = isStalled;
    this.#link = link;
  }

  /** For how long something has been waiting because the direction is silent. */
  get heldForMs(): number {
    if (!this.#isStalled()) return 0;
    this.#heldSinceMs ??= this.#options.scheduler.nowMs;
    return this.#options.scheduler.nowMs - this.#heldSinceMs;
  }

  carry(deliver: () => void): void {
    if (this.#isDropped || this.#isClosed) return;
    const { random, scheduler } = this.#options;
    const atMs = Math.max(this.#lastMs, scheduler.nowMs + random.between(0.1, this.#link.delayMaxMs));
    this.#lastMs = atMs;
    this.#queue.push({ atMs, deliver });
    scheduler.after(atMs - scheduler.nowMs, () => this.pump());
  }

  pump(): void {
    if (this.#isStalled()) {
      this.#heldSinceMs ??= this.#options.scheduler.nowMs;
      return;
    }
    this.#heldSinceMs = undefined;
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined || first.atMs > this.#options.scheduler.nowMs || this.#isDropped) return;
      this.#queue.shift();
      first.deliver();
    }
  }

  /** Takes nothing more; what is on its way arrives. */
  close(): void {
    this.#isClosed = true;
  }

  drop(): void {
    this.#isDropped = true;
    this.#queue.length = 0;
  }
}
