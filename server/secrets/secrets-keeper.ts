/**
 * Keeps all secrets in the records sealed with the newest key: when the server starts on records of older versions or with
 * another key, and when the key is rotated.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import type { RecordKindName } from "../storage/key-layout.ts";
import type { KeyStore } from "./key-store.ts";
import type { SecretBox } from "./secret-box.ts";
import { secretsIn } from "./stored-secrets.ts";

export interface SecretsKeeperOptions {
  readonly engine: EngineApi;
  readonly box: SecretBox;
  readonly keys: KeyStore;
  /** Makes what was replaced in the store unreadable. */
  readonly compact: (kind: RecordKindName) => Promise<void>;
  readonly log: Logger;
}

export interface SecretsStatus {
  /** Of the key that seals, then of older ones. */
  readonly keyIds: readonly string[];
  readonly where: string;
  readonly secretCount: number;
}

export class SecretsKeeper {
  readonly box: SecretBox;
  private readonly options: SecretsKeeperOptions;
  private rotating: Promise<void> | undefined;

  constructor(options: SecretsKeeperOptions) {
    this.options = options;
    this.box = options.box;
  }

  /** To be called before anything is served. */
  async start(): Promise<void> {
    const { keys, log } = this.options;
    await this.sealAll();
    if (await keys.isOpenToOthers()) {
      log.warn({ file: keys.where }, "the file with the secrets' keys can be read by other users; make its mode 0600");
    }
  }

  async status(): Promise<SecretsStatus> {
    const secretCount = await this.options.engine.read((view) => secretsIn(view).length);
    return { keyIds: this.box.keyIds, where: this.options.keys.where, secretCount };
  }

  /** Makes a new key and seals everything with it; resolves when that is durable. Callers at the same time share one new key. */
  async rotate(): Promise<SecretsStatus> {
    this.rotating ??= this.addKey().finally(() => {
      this.rotating = undefined;
    });
    await this.rotating;
    return await this.status();
  }

  private async addKey(): Promise<void> {
    const { keys } = this.options;
    if (keys.add === undefined) {
      throw new MeridianError(
        "STATE_NOT_ALLOWED",
        `the server has its key from ${keys.where} and cannot change that; put a new key before the present one there and ` +
          "restart the server, which then seals everything with the new one",
        { metadata: { state: "KEY_IN_ENVIRONMENT" } },
      );
    }
    // First where it outlives this process: a crash after this finds both keys, and the next start goes on.
    this.box.use(await keys.add());
    await this.sealAll();
  }

  /** Seals what is not sealed, or sealed with an older key. */
  private async sealAll(): Promise<void> {
    const { engine, log } = this.options;
    let count = 0;
    for (;;) {
      const events = await engine.read((view) =>
        secretsIn(view).flatMap(({ place, secret, replace }) => {
          if (secret.kind === "plain") return [replace({ kind: "sealed", text: this.box.seal(place, secret.text) })];
          if (this.box.isCurrent(secret.text)) return [];
          const opened = this.box.open(place, secret.text);
          // All could be opened when the server began, and it has sealed whatever came since.
          if ("fault" in opened) throw new Error(`the ${place.field} of ${place.kind}/${place.id} cannot be opened`);
          return [replace({ kind: "sealed", text: this.box.seal(place, opened.secret) })];
        }),
      );
      if (events.length === 0) break;
      // What was changed meanwhile is looked at again.
      const done = await Promise.all(events.map((event) => engine.submit(event)));
      count += done.filter(Boolean).length;
    }
    if (count === 0) return;
    await this.options.compact("catalog");
    log.info({ count, key_id: this.box.keyIds[0] }, "secrets sealed");
  }
}
