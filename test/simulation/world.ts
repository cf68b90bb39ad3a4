/** Everything that one run consists of, made from its seed: the server, the Macs with their agents, and what lies between. */
import { asTemplateId, asUid, type IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { Delays } from "../../simulator/delays.ts";
import { createRandom, deriveSeed, type Random } from "../../simulator/random.ts";
import { catalogCreate, catalogTemplateCreate, templateCreate } from "../support/pool/specs.ts";
import type { History } from "./history.ts";
import { HostProcess } from "./host-process.ts";
import type { Mutant } from "./mutant.ts";
import { Network } from "./network.ts";
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

export class World {
  readonly seed: number;
  readonly scheduler = new Scheduler();
  readonly history: History;
  readonly network: Network;
  readonly server: ServerProcess;
  readonly hosts: readonly HostProcess[];
  readonly rules: Rules;
  readonly ids: IdSource;

  constructor({ seed, mutant, log, history }: WorldOptions) {
    this.seed = seed;
    this.history = history;
    const { scheduler } = this;
    const note = (text: string): void => history.note(scheduler.nowMs, text);
    this.ids = idsFrom(this.random("ids"));
    this.rules = new Rules({
      note,
      macs: () => this.hosts,
      view: () => this.server.view,
      nowMs: () => this.scheduler.nowMs,
      poolNowMs: () => this.server.engine?.nowMs() ?? 0,
    });
    const { ids, rules } = this;
    this.network = new Network({
      scheduler,
      random: this.random("network"),
      note,
      onUpdate: (host, update) => rules.onCommandUpdate(host, update),
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
    const hostCount = 3;
    this.hosts = Array.from({ length: hostCount }, (_, index) => {
      const id = `host-${index + 1}`;
      return new HostProcess({
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
        random: this.random(id),
        ids,
        log,
        mutant,
        note,
      });
    });
    for (const host of this.hosts) host.mac.events.subscribe((event) => rules.onMacEvent(host, event));
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
    for (const host of this.hosts) host.startAgent();
  }
}

function idsFrom(random: Random): IdSource {
  return { uid: () => asUid(random.hex(32)), suffix: (length) => random.hex(length) };
}
