/**
 * The mistakes that the simulation has to find, each with what it breaks. They stand for rules of the design that are easily
 * lost in a change: if one of them passes unnoticed, the simulation has become blind there.
 */
import type { JournalStorage } from "../../agent/journal/journal-storage.ts";
import type { LinkTransport } from "../../agent/link/transport.ts";
import type { ParallelsApi } from "../../agent/parallels/api.ts";
import type { DurableBatch, EngineApi } from "../../server/engine/engine-api.ts";
import type { EventReply, PoolEvent } from "../../server/pool/events.ts";
import type { HostRecord } from "../../server/pool/host.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { VmRecord } from "../../server/pool/vm.ts";
import type { Store, StoreBatch } from "../../server/storage/store.ts";
import { sleep } from "../../shared/clock.ts";
import type { HostId, VmId } from "../../shared/ids.ts";
import type { Life } from "./life.ts";
import { Mutant } from "./mutant.ts";

/** A batch is called durable before it is: what is under way when the server ends is lost. */
class SkipTheSync extends Mutant {
  override store(store: Store, { life }: { readonly life: Life }): Store {
    let last: Promise<void> = Promise.resolve();
    return {
      ...boundStore(store),
      commit: async (batch: StoreBatch) => {
        last = last.then(() => sleep(life.clock, 200)).then(() => store.commit(batch));
        last.catch(() => undefined);
      },
    };
  }
}

/** A client is answered when its event is applied. */
class AnswerBeforeDurable extends Mutant {
  override engine(engine: EngineApi): EngineApi {
    return withSubmit(engine, async (event) => {
      const done = engine.submit(event);
      if (event.type !== "vm-create" && event.type !== "vm-want") return done;
      const vm = peek(engine, (view) => view.vms.get(event.id));
      if (vm === undefined) return done;
      done.catch(() => undefined);
      return vm;
    });
  }
}

/** A create that is asked for again makes another VM. */
class ForgetRequests extends Mutant {
  override engine(engine: EngineApi): EngineApi {
    return withSubmit(engine, (event) => {
      if (event.type !== "vm-create") return engine.submit(event);
      const { request: _, ...others } = event;
      return engine.submit(others);
    });
  }
}

/** The agent takes commands of any epoch and generation. */
class DropTheFence extends Mutant {
  override transport(transport: LinkTransport): LinkTransport {
    const free = { epoch: 1e9, generation: 1e9 };
    return {
      open: (address, events) =>
        transport.open(address, {
          ...events,
          onMessage: (message) => {
            const { payload } = message;
            if (payload?.$case !== "command") events.onMessage(message);
            else {
              const command = { ...payload.command, ...free };
              events.onMessage({ ...message, payload: { $case: "command", command } });
            }
          },
        }),
    };
  }
}

/** A VM's share of its host is given away when its deletion is asked for. */
class FreeAtTheRequest extends Mutant {
  override engine(engine: EngineApi): EngineApi {
    return withSubmit(engine, async (event) => {
      const reply = await engine.submit(event);
      if (event.type === "vm-want" && event.wanted === "deleted") await this.#free(engine, event.id);
      return reply;
    });
  }

  async #free(engine: EngineApi, id: VmId): Promise<void> {
    const vm = peek(engine, (view) => view.vms.get(id));
    const hostId = vm?.host;
    const host = hostId === undefined ? undefined : peek(engine, (view) => view.hosts.get(hostId));
    if (vm?.command?.kind !== "delete" || host === undefined) return;
    const report = { commandId: vm.command.id, state: "SUCCEEDED" } as const;
    await engine.submit({ type: "command-reported", hostId: host.id, epoch: host.epoch, report });
  }
}

/** A host that does not talk is taken for one without VMs. */
class TakeSilenceForGone extends Mutant {
  override engineOfSessions(engine: EngineApi): EngineApi {
    return withSubmit(engine, async (event) => {
      if (event.type === "host-disconnected") {
        const inventory = { isWhole: true, vms: [], removedIds: [] };
        await engine.submit({ type: "host-inventoried", id: event.id, epoch: event.epoch, inventory });
      }
      return engine.submit(event);
    });
  }
}

/** A Mac whose VMs cannot be listed is taken for one without VMs. */
class TakeErrorsForEmpty extends Mutant {
  override parallels(api: ParallelsApi): ParallelsApi {
    return { ...api, listVms: (signal) => api.listVms(signal).catch(() => []) };
  }
}

/** The agent says that a VM is gone when its removal was asked for. */
class BelieveTheRemoval extends Mutant {
  override parallels(api: ParallelsApi): ParallelsApi {
    const removed = new Set<string>();
    return {
      ...api,
      deleteVm: async (vmId, options) => {
        removed.add(vmId);
        api.deleteVm(vmId, options).catch(() => undefined);
      },
      listVms: async (signal) => (await api.listVms(signal)).filter((vm) => !removed.has(vm.id)),
    };
  }
}

/** Macs have two slots for macOS guests, and the pool does not count who takes them. */
class CountNoSlots extends Mutant {
  override engine(engine: EngineApi): EngineApi {
    return withSubmit(engine, (event) => {
      if (event.type !== "template-create") return engine.submit(event);
      return engine.submit({ ...event, spec: { ...event.spec, guestOs: "linux" } });
    });
  }
}

/** A command that was under way when the link broke is not sent again. */
class SendNothingAgain extends Mutant {
  override engineOfSessions(engine: EngineApi): EngineApi {
    return { ...boundEngine(engine), read: (read) => engine.read((view) => read(withoutVms(view))) };
  }
}

/** A watcher misses a batch now and then. */
class LeaveGaps extends Mutant {
  override engine(engine: EngineApi): EngineApi {
    return {
      ...boundEngine(engine),
      follow: async function* (fromRevision: number, signal: AbortSignal): AsyncGenerator<DurableBatch> {
        for await (const batch of engine.follow(fromRevision, signal)) if (batch.revision % 40 !== 0) yield batch;
      },
    };
  }
}

/** What an agent knew ends with its process. */
class ForgetTheJournal extends Mutant {
  override journal(storage: JournalStorage): JournalStorage {
    return { ...storage, read: async () => undefined };
  }
}

/** The agent acts on what its journal has not written yet. */
class SkipTheJournalsSync extends Mutant {
  override journal(storage: JournalStorage, life: Life): JournalStorage {
    let last: Promise<void> = Promise.resolve();
    const soon = (write: () => Promise<void>): void => {
      last = last.then(() => sleep(life.clock, 300)).then(write);
      last.catch(() => undefined);
    };
    return {
      ...storage,
      append: async (bytes) => soon(() => storage.append(bytes)),
      replace: async (bytes) => soon(() => storage.replace(bytes)),
    };
  }
}

export interface NamedMutant {
  readonly name: string;
  readonly make: () => Mutant;
}

export const mutants: readonly NamedMutant[] = [
  { name: "skip the sync", make: () => new SkipTheSync() },
  { name: "answer before durable", make: () => new AnswerBeforeDurable() },
  { name: "forget request ids", make: () => new ForgetRequests() },
  { name: "drop the fence check", make: () => new DropTheFence() },
  { name: "free capacity at the request", make: () => new FreeAtTheRequest() },
  { name: "take silence for gone", make: () => new TakeSilenceForGone() },
  { name: "take errors for an empty list", make: () => new TakeErrorsForEmpty() },
  { name: "believe the removal", make: () => new BelieveTheRemoval() },
  { name: "count no macOS slots", make: () => new CountNoSlots() },
  { name: "send nothing again", make: () => new SendNothingAgain() },
  { name: "leave gaps in a watch", make: () => new LeaveGaps() },
  { name: "forget the journal", make: () => new ForgetTheJournal() },
  { name: "skip the journal's sync", make: () => new SkipTheJournalsSync() },
];

// --- How they are put around the parts.

function boundStore(store: Store): Store {
  return {
    load: () => store.load(),
    commit: (batch) => store.commit(batch),
    snapshot: () => store.snapshot(),
    close: () => store.close(),
  };
}

function boundEngine(engine: EngineApi): EngineApi {
  return {
    submit: (event) => engine.submit(event),
    read: (read) => engine.read(read),
    follow: (fromRevision, signal) => engine.follow(fromRevision, signal),
    onDurable: (listener) => engine.onDurable(listener),
    nowMs: () => engine.nowMs(),
  };
}

function withSubmit(engine: EngineApi, submit: (event: PoolEvent) => Promise<EventReply<PoolEvent>>): EngineApi {
  return {
    ...boundEngine(engine),
    // The reply is that of the event, which the type of a function over all events cannot say.
    submit: <E extends PoolEvent>(event: E) => submit(event) as Promise<EventReply<E>>,
  };
}

/** Looks at the pool at once, durable or not. */
function peek<T extends HostRecord | VmRecord | number | undefined>(
  engine: EngineApi,
  look: (view: PoolView) => T,
): T | undefined {
  let seen: T | undefined;
  engine
    .read((view) => {
      seen = look(view);
    })
    .catch(() => undefined);
  return seen;
}

/** The pool as if no VM stood on any host. */
function withoutVms(view: PoolView): PoolView {
  const none: (host: HostId) => ReadonlySet<VmId> = () => new Set();
  return Object.create(view, { vmsOn: { value: none } }) as PoolView;
}
