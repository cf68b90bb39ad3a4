/** Everything that one run consists of, made from its seed: the server, the Macs with their agents, and what lies between. */
import { defaultSettings } from "../../server/pool/settings/settings.ts";
import { asProjectId, asTemplateId, asUid, type IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { Delays } from "../../simulator/delays.ts";
import { createRandom, deriveSeed, type Random } from "../../simulator/random.ts";
import { catalogCreate, catalogTemplateCreate, templateCreate } from "../support/pool/specs.ts";
import type { History } from "./history.ts";
import { HostProcess } from "./host-process.ts";
import type { Mutant } from "./mutant.ts";
import { Network } from "./network.ts";
import { drawHostSettings, drawQuota } from "./operator-choices.ts";
import { pick } from "./pick.ts";
import { Rules } from "./rules.ts";
import { Scheduler } from "./scheduler.ts";
import { ServerProcess } from "./server-process.ts";
import { Watcher } from "./watcher.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly mutant: Mutant;
  readonly log: Logger;
  readonly history: History;
}

/** Projects with quotas; most VMs are in the default project, which has none. */
export const projectNames = ["blue", "green"] as const;

const hostCount = 3;
/** How long an operator waits for the effect of what was asked for, in ms: longer than all tries of a call. */
const operatorPauseMs = 120_000;
/** How often something that takes long may happen in a run. */
const holdsMax = 2;

/** The templates of every run: a clone of a Linux VM, one of a macOS VM, and one that is pulled. */
export const templateNames = ["linux", "macos", "pulled"] as const;

/** As slow as needed for things to overlap, and no slower. */
const delays: Partial<Delays> = {
  download: [2_000, 20_000],
  unpack: [500, 3_000],
  boot: [500, 8_000],
  start: [300, 4_000],
  stop: [300, 6_000],
  restart: [1_000, 8_000],
  unknownVm: [200, 3_000],
};

/**
 * How slowly things happen, compared with a second or so between two calls: in some runs leases, lifetimes and long outages
 * have their time.
 */
const paces = [1, 1, 1, 4, 12] as const;

export class World {
  readonly seed: number;
  readonly pace: number;
  /** The pool's own bound. */
  lostAfterMs = defaultSettings.hosts.lostAfterMs;
  readonly scheduler = new Scheduler();
  readonly history: History;
  readonly network: Network;
  readonly server: ServerProcess;
  /** The Macs of the pool. */
  readonly hosts: readonly HostProcess[];
  /** Told of a cloned Mac that had taken the host's place when it was taken away. */
  onCloneRemoved: (host: string) => void = () => undefined;
  readonly rules: Rules;
  readonly ids: IdSource;
  readonly #options: WorldOptions;
  #clone: HostProcess | undefined;
  #cloneCount = 0;
  #holdsUntilMs = 0;
  #holdCount = 0;

  constructor(options: WorldOptions) {
    const { seed, mutant, log, history } = options;
    this.#options = options;
    this.seed = seed;
    this.history = history;
    this.pace = pick(this.random("pace"), paces) ?? 1;
    const { scheduler } = this;
    const note = (text: string): void => history.note(scheduler.nowMs, text);
    this.ids = idsFrom(this.random("ids"));
    this.rules = new Rules({
      note,
      macs: () => this.macs,
      view: () => this.server.view,
      nowMs: () => this.scheduler.nowMs,
      poolNowMs: () => this.server.engine?.nowMs() ?? 0,
      after: (delayMs, action) => void scheduler.after(delayMs, action),
      linkTroubledMs: (mac) => this.network.troubledMs(mac),
    });
    const { ids, rules } = this;
    this.network = new Network({
      scheduler,
      random: this.random("network"),
      note,
      onUpdate: (host, update) => rules.onCommandUpdate(host, update),
      onSent: (payload) => rules.leases.onSent(payload),
      onTold: (name, sentMs, payload) => {
        const mac = this.macs.find((one) => one.name === name);
        if (mac !== undefined) rules.leases.onTold(mac, sentMs, payload);
      },
    });
    const { network } = this;
    const watcher = new Watcher(this);
    this.server = new ServerProcess({
      scheduler,
      network,
      random: this.random("server"),
      ids,
      log,
      mutant,
      note,
      onStarted: (durableRevision, engine) => {
        rules.onServerStarted(durableRevision);
        void watcher.follow(engine);
      },
      onBatch: (batch) => rules.onBatch(batch),
      onMistake: (error) => rules.breakRule("the engine makes no mistakes", String(error)),
    });
    this.hosts = Array.from({ length: hostCount }, (_, index) => this.#makeMac(`host-${index + 1}`, index));
  }

  /** Every Mac that is there, with one that was cloned. */
  get macs(): readonly HostProcess[] {
    return this.#clone === undefined ? this.hosts : [...this.hosts, this.#clone];
  }

  /** Whether something that takes long is under way: the run goes on until it is over, slowly. */
  get isHolding(): boolean {
    return this.scheduler.nowMs < this.#holdsUntilMs;
  }

  /** Makes room for something that takes so long; false if there is none, since a run has to end. */
  holdOn(spanMs: number): boolean {
    if (this.isHolding || this.#holdCount === holdsMax) return false;
    this.#holdCount += 1;
    this.#holdsUntilMs = this.scheduler.nowMs + spanMs;
    return true;
  }

  /** Another Mac with the host's id comes, and is taken away again after a while. False: there is one already. */
  cloneMac(host: HostProcess, spanMs: number): boolean {
    if (this.#clone !== undefined) return false;
    this.#cloneCount += 1;
    const clone = this.#makeMac(`${host.id}-clone-${this.#cloneCount}`, hostCount + this.#cloneCount, host.id);
    this.#clone = clone;
    clone.startAgent();
    this.scheduler.after(spanMs, () => {
      clone.unplug();
      this.#clone = undefined;
      this.history.note(this.scheduler.nowMs, `${clone.name} is taken away`);
      this.#giveUpClone(clone);
    });
    return true;
  }

  /** An operator gives up what a cloned Mac had, as soon as there is a server to be told. */
  #giveUpClone(clone: HostProcess): void {
    const { view } = this.server;
    const record = [...(view?.hosts.values() ?? [])].find(({ id }) => id === clone.id);
    const hasItsPlace = record?.facts?.hardwareId === hardwareIdOf(clone);
    if (hasItsPlace) this.onCloneRemoved(clone.id);
    if (hasItsPlace || view === undefined) this.scheduler.after(operatorPauseMs, () => this.#giveUpClone(clone));
  }

  #makeMac(name: string, index: number, id: string = name): HostProcess {
    const { scheduler, network, ids, rules } = this;
    const { log, mutant, history, seed } = this.#options;
    const host = new HostProcess({
      name,
      id,
      mac: {
        index,
        seed: deriveSeed(seed, 100 + index),
        cpuCount: 12,
        memoryMib: 49_152,
        // The Mac itself would refuse a third macOS guest: here the pool has to know by itself.
        macosGuestMax: 99,
        delays,
        catalog: [{ catalogId: "PULLED", version: "v1", architecture: "arm64", os: "ubuntu", sizeMib: 10_240 }],
        vms: [
          { name: "golden-linux", os: "ubuntu", cpuCount: 2, memoryMib: 4096, diskMib: 20_000 },
          { name: "golden-apple", os: "macosx", cpuCount: 2, memoryMib: 4096, diskMib: 40_000 },
        ],
      },
      scheduler,
      network,
      random: this.random(name),
      ids,
      log,
      mutant,
      note: (text) => history.note(scheduler.nowMs, text),
      onAgentEnded: (mac) => rules.leases.onAgentEnded(mac),
      onReboot: (mac, offMs) => rules.leases.onReboot(mac, offMs),
    });
    host.mac.events.subscribe((event) => rules.onMacEvent(host, event));
    return host;
  }

  /** A source of chance for one part of the run, so that one part's draws do not shift another's. */
  random(part: string): Random {
    let number = 7;
    for (const character of part) number = (Math.imul(number, 31) + character.charCodeAt(0)) | 0;
    return createRandom(deriveSeed(this.seed, number));
  }

  /** The server is up, knows the templates, and every Mac is about to dial it. */
  async open(): Promise<void> {
    await this.server.start();
    const { engine } = this.server;
    if (engine === undefined) throw new Error("the server did not start");
    const events = [
      templateCreate("linux"),
      templateCreate("macos", {
        source: { kind: "host-vm", vmName: "golden-apple" },
        guestOs: "macos",
        resources: { cpuCount: 2, memoryMib: 4096, diskMib: 40_000 },
      }),
      catalogTemplateCreate("pulled", "images"),
    ];
    void engine.submit(catalogCreate("images"));
    for (const event of events) void engine.submit({ ...event, id: asTemplateId(event.id) });
    const random = this.random("settings");
    for (const name of projectNames) {
      const spec = { displayName: "", weight: 1, quota: drawQuota(random), labels: {} };
      this.rules.granted.onQuotaAsked(name, spec.quota);
      void engine.submit({ type: "project-create", id: asProjectId(name), uid: this.ids.uid(), spec });
    }
    const hosts = drawHostSettings(random);
    this.lostAfterMs = hosts.lostAfterMs ?? this.lostAfterMs;
    void engine.submit({ type: "settings-update", uid: this.ids.uid(), baseGeneration: 0, spec: { hosts } });
    for (const host of this.hosts) host.startAgent();
  }
}

function hardwareIdOf({ mac }: HostProcess): string {
  return `simulated-${mac.facts.index}`;
}

function idsFrom(random: Random): IdSource {
  return { uid: () => asUid(random.hex(32)), suffix: (length) => random.hex(length) };
}
