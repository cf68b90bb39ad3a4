/**
 * A client that follows all changes: it lists, watches from there, and after each break goes on where it was or, if that is
 * too long ago, lists again.
 */
import type { EngineApi } from "../../server/engine/engine-api.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { World } from "./world.ts";

export class Watcher {
  readonly #world: World;
  readonly #until = new AbortController();
  #revision = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Follows the server that is up now, until it ends. */
  async follow(engine: EngineApi): Promise<void> {
    try {
      await this.#watch(engine);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      if (error.reason === "REVISION_TOO_OLD") await this.#listAndWatch(engine);
    }
  }

  async #watch(engine: EngineApi): Promise<void> {
    const { rules, server } = this.#world;
    for await (const batch of engine.follow(this.#revision, this.#until.signal)) {
      if (!server.isCurrent(engine)) return;
      if (batch.revision !== this.#revision + 1) {
        rules.breakRule("a watcher has no gaps", `revision ${batch.revision} came after ${this.#revision}`);
      }
      this.#revision = batch.revision;
    }
  }

  async #listAndWatch(engine: EngineApi): Promise<void> {
    const { rules } = this.#world;
    // A server that ends meanwhile answers nobody.
    const revision = await engine.read((view) => view.revision).catch(() => undefined);
    if (revision === undefined) return;
    if (revision < this.#revision) {
      rules.breakRule(
        "no acknowledged change is lost",
        `revision ${this.#revision} was seen, ${revision} is the newest`,
      );
    }
    this.#revision = revision;
    await this.follow(engine);
  }
}
