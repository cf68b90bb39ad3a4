/**
 * A mistake that could be in the code, put around its parts from outside: the code itself knows nothing of it. Each method gets
 * a part of the run and gives back the one to use in its place; by default, the same.
 */
import type { JournalStorage } from "../../agent/journal/journal-storage.ts";
import type { LinkTransport } from "../../agent/link/transport.ts";
import type { ParallelsApi } from "../../agent/parallels/api.ts";
import type { EngineApi } from "../../server/engine/engine-api.ts";
import type { MemoryDisk } from "../../server/storage/memory-store.ts";
import type { Store } from "../../server/storage/store.ts";
import type { Life } from "./life.ts";

export class Mutant {
  /** The server's store, in one life of the server. */
  store(store: Store, _world: { readonly life: Life; readonly disk: MemoryDisk }): Store {
    return store;
  }

  /** The engine, as everything beside it sees it. */
  engine(engine: EngineApi): EngineApi {
    return engine;
  }

  /** The engine, as the sessions see it. */
  engineOfSessions(engine: EngineApi): EngineApi {
    return engine;
  }

  /** The local API, as an agent sees it. */
  parallels(api: ParallelsApi): ParallelsApi {
    return api;
  }

  /** The link, as an agent sees it. */
  transport(transport: LinkTransport): LinkTransport {
    return transport;
  }

  /** The disk under an agent's journal, in one life of the agent. */
  journal(storage: JournalStorage, _life: Life): JournalStorage {
    return storage;
  }
}
