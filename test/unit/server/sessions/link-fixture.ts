/** A real engine on a store in memory, and real sessions on a real port, with a clock and a disk that the test holds. */

import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Engine } from "../../../../server/engine/engine.ts";
import type { EngineApi } from "../../../../server/engine/engine-api.ts";
import type { PoolEvent } from "../../../../server/pool/events.ts";
import type { HostContact, HostRecord } from "../../../../server/pool/host.ts";
import type { TemplateSource } from "../../../../server/pool/template.ts";
import type { VmRecord, VmSpec } from "../../../../server/pool/vm.ts";
import { sealCredentials } from "../../../../server/secrets/catalog-credentials.ts";
import { agentServerOptions } from "../../../../server/sessions/server-options.ts";
import { createSessions, type Sessions } from "../../../../server/sessions/sessions.ts";
import { MemoryDisk, MemoryStore } from "../../../../server/storage/memory-store.ts";
import { asCatalogId, asHostId, asTemplateId, asVmId, randomIds } from "../../../../shared/ids.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { openTestCredentials, testBox } from "../../../support/secrets/test-secrets.ts";
import { AgentClient, until } from "./agent-client.ts";
import { ManualClock } from "./manual-clock.ts";

export class Link {
  readonly clock: ManualClock;
  readonly engine: Engine;
  readonly sessions: Sessions;
  readonly disk: MemoryDisk;
  /** Events that the sessions handed in, in order. */
  readonly events: PoolEvent[];
  private readonly store: MemoryStore;
  private readonly server: Server;
  readonly agentAddress: string;
  private readonly agents: AgentClient[] = [];
  private held: PromiseWithResolvers<void> | undefined;

  /** @param port 0: a free one. */
  static async start(disk: MemoryDisk = new MemoryDisk(), port = 0): Promise<Link> {
    const clock = new ManualClock();
    const store = new MemoryStore(disk);
    const engine = await Engine.open({ store, clock, log: silentLogger });
    const events: PoolEvent[] = [];
    const sessions = createSessions({
      engine: recording(engine, events),
      ids: randomIds,
      clock,
      log: silentLogger,
      serverVersion: "1.2.3",
      openCredentials: openTestCredentials,
    });
    const server = new Server(agentServerOptions);
    server.addService(sessions.service.definition, sessions.service.implementation);
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, boundPort) =>
        error === null ? resolve(boundPort) : reject(error),
      );
    });
    return new Link({ clock, store, disk, engine, sessions, server, events, address: `127.0.0.1:${bound}` });
  }

  private constructor(parts: {
    readonly clock: ManualClock;
    readonly store: MemoryStore;
    readonly disk: MemoryDisk;
    readonly engine: Engine;
    readonly sessions: Sessions;
    readonly server: Server;
    readonly events: PoolEvent[];
    readonly address: string;
  }) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.disk = parts.disk;
    this.engine = parts.engine;
    this.sessions = parts.sessions;
    this.server = parts.server;
    this.events = parts.events;
    this.agentAddress = parts.address;
  }

  agent(): AgentClient {
    const agent = new AgentClient(this.agentAddress);
    this.agents.push(agent);
    return agent;
  }

  /** From here on nothing becomes durable until `releaseDisk`. */
  holdDisk(): void {
    const held = Promise.withResolvers<void>();
    this.held = held;
    this.store.faults = { beforeDurable: () => held.promise };
  }

  releaseDisk(): void {
    this.store.faults = {};
    this.held?.resolve();
  }

  host(id = "mac-1"): Promise<HostRecord | undefined> {
    return this.engine.read((view) => view.hosts.get(asHostId(id)));
  }

  contact(id = "mac-1"): Promise<HostContact | undefined> {
    return this.engine.read((view) => view.contact(asHostId(id)));
  }

  async vm(id: string): Promise<VmRecord> {
    const vm = await this.engine.read((view) => view.vms.get(asVmId(id)));
    if (vm === undefined) throw new Error(`no VM ${id}`);
    return vm;
  }

  async untilVm(id: string, state: VmRecord["state"]): Promise<VmRecord> {
    await until(async () => (await this.vm(id)).state === state, `${id} to be ${state}`);
    return this.vm(id);
  }

  async createTemplate(id: string, source: TemplateSource): Promise<void> {
    await this.engine.submit({
      type: "template-create",
      id: asTemplateId(id),
      uid: randomIds.uid(),
      spec: {
        source,
        guestOs: "linux",
        architecture: "arm64",
        resources: { cpuCount: 2, memoryMib: 2048, diskMib: 20_000 },
        readiness: { probe: { kind: "tcp-port", port: 22 }, periodMs: 1000, timeoutMs: 60_000 },
        description: "",
        labels: {},
      },
    });
  }

  async createCatalog(id: string): Promise<void> {
    await this.engine.submit({
      type: "catalog-create",
      id: asCatalogId(id),
      uid: randomIds.uid(),
      spec: {
        url: "https://catalog.example",
        credentials: sealCredentials(testBox(), asCatalogId(id), { username: "ada", password: "secret", apiKey: "" }),
        description: "",
      },
    });
  }

  createVm(id: string, template: string, fields: Partial<VmSpec> = {}): Promise<VmRecord> {
    return this.engine.submit({
      type: "vm-create",
      id: asVmId(id),
      uid: randomIds.uid(),
      spec: {
        project: "default",
        template: asTemplateId(template),
        resources: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
        placement: { required: [], preferred: [], strategy: "pack" },
        priority: 50,
        wanted: "running",
        pendingTimeoutMs: 0,
        labels: {},
        annotations: {},
        ...fields,
      },
    });
  }

  deleteVm(id: string): Promise<VmRecord> {
    return this.engine.submit({ type: "vm-want", id: asVmId(id), wanted: "deleted", force: true });
  }

  get port(): number {
    return Number(this.agentAddress.split(":")[1]);
  }

  /** Ends as a killed process does: no goodbye, and nothing is stored that was not stored already. */
  kill(): void {
    this.store.faults = { beforeDurable: () => new Promise(() => undefined) };
    this.server.forceShutdown();
  }

  async close(): Promise<void> {
    this.releaseDisk();
    const closing = this.sessions.closeAll("the test is over");
    for (const agent of this.agents) agent.close();
    await closing;
    this.server.forceShutdown();
    await this.engine.close();
    await this.store.close();
  }
}

/** The engine, with a note of each event that is handed in. */
function recording(engine: Engine, events: PoolEvent[]): EngineApi {
  return {
    submit: (event) => {
      events.push(event);
      return engine.submit(event);
    },
    read: (read) => engine.read(read),
    follow: (fromRevision, signal) => engine.follow(fromRevision, signal),
    onDurable: (listener) => engine.onDurable(listener),
    nowMs: () => engine.nowMs(),
  };
}
