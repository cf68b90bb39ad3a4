/**
 * The server, put together: the store, the engine on it, the sessions of the agents, and the public API on its two ports.
 * Nothing outlives `close()`; when the engine has to end, everything else is closed and `closed` tells why.
 */
import { join } from "node:path";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { AssertionFailed, required } from "../shared/assert.ts";
import { type Clock, systemClock } from "../shared/clock.ts";
import type { IdSource } from "../shared/ids.ts";
import type { Logger } from "../shared/log.ts";
import { readBootClock } from "../shared/machine.ts";
import { type Admission, everybody } from "./access/admission.ts";
import type { KeyTuning } from "./access/oidc/issuer-keys.ts";
import { openAdmission } from "./access/open-admission.ts";
import { FrontDoor } from "./api/access/front-door.ts";
import { Backups } from "./api/backups.ts";
import type { ApiContext } from "./api/context.ts";
import { createErrorReporter, type ErrorReporter } from "./api/error-status.ts";
import { createGrpcApi } from "./api/grpc.ts";
import { createHttpServer } from "./api/http.ts";
import { closePortMs, drainCallsMs } from "./api/limits.ts";
import { ActiveCalls } from "./api/rpc/active-calls.ts";
import { createServices } from "./api/services/services.ts";
import { VmChanges } from "./api/vm-changes.ts";
import { CatalogFollower, type CatalogTuning } from "./catalogs/catalog-follower.ts";
import { Engine } from "./engine/engine.ts";
import { createAgentCalls } from "./enrolment/agent-calls.ts";
import { Enrolment } from "./enrolment/enrolment.ts";
import {
  type Address,
  checkLoopback,
  checkPort,
  closeGrpc,
  closeHttp,
  formatAddress,
  listenGrpc,
  listenHttp,
  within,
} from "./listening.ts";
import type { PoolView } from "./pool/view.ts";
import { openCredentials } from "./secrets/catalog-credentials.ts";
import { type KeyStore, type KeyStoreSettings, keyStoreOf } from "./secrets/key-store.ts";
import type { SecretBox } from "./secrets/secret-box.ts";
import { SecretsKeeper } from "./secrets/secrets-keeper.ts";
import { openSecretBox } from "./secrets/stored-secrets.ts";
import { type HostPeer, type IdentifyPeer, identifyByCertificate } from "./sessions/peer.ts";
import { agentServerOptions } from "./sessions/server-options.ts";
import { createSessions, type SessionSettings, type Sessions } from "./sessions/sessions.ts";
import { replaceFileDurably } from "./storage/durable-file.ts";
import type { RecordKindName } from "./storage/key-layout.ts";
import { type LevelStore, openLevelStore } from "./storage/level-store.ts";
import { openSecurity, type Security, type TlsSettings } from "./tls/open-security.ts";

export interface ServerOptions {
  /** Where everything is stored; made if it is absent. */
  readonly dataDir: string;
  /** The gRPC port. */
  readonly listen: Address;
  /** The port that agents dial. */
  readonly agentListen: Address;
  /** The HTTP port. */
  readonly httpListen: Address;
  /** Plain text and no authentication, on loopback alone. False: TLS, and every caller is asked who it is. */
  readonly insecure: boolean;
  /** What is not as usual about TLS; nothing if `insecure`. */
  readonly tls?: TlsSettings;
  /** Where the keys are that seal the secrets in the records. Default: in `DIR/secrets.key`. */
  readonly secretsKeys?: KeyStoreSettings;
  /** How keys of issuers are fetched; the default is right but for tests. */
  readonly issuerKeys?: KeyTuning;
  /** How often catalogs are read; the default is right but for tests. */
  readonly catalogs?: CatalogTuning;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Logger;
  /** Told to clients and agents. */
  readonly version: string;
  /** The store of `dataDir`, when whoever starts the server has it opened already; the server closes it. Default: opens it. */
  readonly store?: LevelStore;
  /** What agents are told; the defaults are right but for tests. */
  readonly sessions?: SessionSettings;
}

export interface RunningServer {
  /** Each as `host:port`. */
  readonly addresses: ServerAddresses;
  /** Resolves when the server was closed; rejects with what ended it otherwise. */
  readonly closed: Promise<void>;
  /** Ends in order: no new calls, goodbye to the agents, calls under way within a bound, engine, store. */
  close(): Promise<void>;
}

export interface ServerAddresses {
  readonly grpc: string;
  readonly agent: string;
  readonly http: string;
}

/** Rejects with a `MeridianError` (FIELD_INVALID) for options that cannot be had, with a `StoreError` for the data directory. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = new ComposedServer(options);
  try {
    checkOptions(options);
    await server.open();
  } catch (error) {
    await server.close();
    await options.store?.close();
    throw error;
  }
  return server;
}

function checkOptions({ insecure, listen, agentListen, httpListen }: ServerOptions): void {
  const addresses = { listen, agent_listen: agentListen, http_listen: httpListen };
  for (const [field, address] of Object.entries(addresses)) {
    if (insecure) checkLoopback(field, address);
    checkPort(field, address);
  }
}

/** What the API works on. */
interface Core {
  readonly store: LevelStore;
  readonly engine: Engine;
  readonly secrets: SecretsKeeper;
  readonly sessions: Sessions;
  /** Absent: the server is insecure. */
  readonly enrolment: SecureEnrolment | undefined;
}

/** What makes the ports secure, and gives hosts what they show there. */
interface SecureEnrolment {
  readonly security: Security;
  readonly enrolment: Enrolment;
  readonly identify: IdentifyPeer;
}

class ComposedServer implements RunningServer {
  readonly closed: Promise<void>;
  addresses: ServerAddresses = { grpc: "", agent: "", http: "" };
  private readonly options: ServerOptions;
  /** What has been opened, to be closed in the opposite order. */
  private readonly opened = new AsyncDisposableStack();
  private readonly ending = Promise.withResolvers<void>();
  private closing: Promise<void> | undefined;
  /** What ended the server, if it was not asked to end. */
  private failure: { readonly error: unknown } | undefined;
  private isReady = false;
  private agentPort: Address | undefined;

  constructor(options: ServerOptions) {
    this.options = options;
    this.closed = this.ending.promise;
    // Whoever runs the server hears of its end; that nobody may be listening is no second failure.
    this.closed.catch(() => undefined);
  }

  async open(): Promise<void> {
    const { options } = this;
    const store = await this.openStore();
    const { engine, secrets } = await this.openEngine(store);
    const security = await this.openSecurity(store);
    const enrolment = security && this.openEnrolment(engine, security);
    const sessions = this.openSessions(engine, secrets, enrolment);
    this.followCatalogs(engine, secrets);
    const core: Core = { store, engine, secrets, sessions, enrolment };
    const door = await this.openDoor(core);
    const agentPort = this.createAgentPort(core, door);
    const { grpc, http } = await this.openApi(core, door);
    // Last, so that clients do not wait until every Mac of the pool has said hello again.
    const agents = await this.listenForAgents(agentPort, security);
    this.addresses = { grpc: formatAddress(grpc), agent: formatAddress(agents), http: formatAddress(http) };
    await replaceFileDurably(join(options.dataDir, "addresses.json"), `${JSON.stringify(this.addresses)}\n`);
    this.isReady = true;
    options.log.info(
      {
        ...this.addresses,
        version: options.version,
        data_dir: options.dataDir,
        ...(security !== undefined && { ca_fingerprint: security.authority.fingerprint }),
      },
      "serving",
    );
  }

  close(): Promise<void> {
    this.closing ??= this.closeParts();
    return this.closing;
  }

  private async closeParts(): Promise<void> {
    try {
      await this.opened.disposeAsync();
    } catch (error) {
      // What is left open is named; the rest has been closed all the same.
      this.options.log.error({ err: error }, "closing failed");
    }
    if (this.failure === undefined) this.ending.resolve();
    else this.ending.reject(this.failure.error);
  }

  /** The server cannot go on: it closes, and `closed` rejects with the first such error. */
  private fail(error: unknown): void {
    this.failure ??= { error };
    void this.close();
  }

  private async openStore(): Promise<LevelStore> {
    const { dataDir, clock, ids, store: opened } = this.options;
    const store = opened ?? (await openLevelStore(dataDir, { ids, clock }));
    this.opened.defer(() => store.close());
    return store;
  }

  /** The engine, and what opens the secrets in its records: if that cannot be done, the engine does nothing either. */
  private async openEngine(store: LevelStore): Promise<Pick<Core, "engine" | "secrets">> {
    const { clock, log, dataDir, secretsKeys } = this.options;
    const keys: KeyStore = keyStoreOf(secretsKeys ?? {}, dataDir);
    let box: SecretBox | undefined;
    // A clock that is not the machine's has nothing to do with its start.
    const boot = clock === systemClock ? { boot: await readBootClock() } : {};
    const inspect = async (view: PoolView): Promise<void> => {
      box = await openSecretBox(keys, view);
    };
    const engine = await Engine.open({ store, clock, log, inspect, ...boot });
    this.opened.defer(() => engine.close());
    engine.ended.catch((error: unknown) => this.fail(error));
    const compact = (kind: RecordKindName): Promise<void> => store.compact(kind);
    const secrets = new SecretsKeeper({ engine, box: required(box, "keys of the secrets"), keys, compact, log });
    await secrets.start();
    return { engine, secrets };
  }

  /** Nothing if the server is to be insecure. */
  private async openSecurity(store: LevelStore): Promise<Security | undefined> {
    const { insecure, tls, dataDir, listen, agentListen, httpListen, clock, log } = this.options;
    if (insecure) return undefined;
    const listens = [listen, agentListen, httpListen];
    const security = await openSecurity(tls ?? {}, { dataDir, poolUid: store.poolUid, listens, clock, log });
    this.opened.defer(() => security.ports.close());
    return security;
  }

  private openEnrolment(engine: Engine, security: Security): SecureEnrolment {
    const { clock, ids, log } = this.options;
    const { authority } = security;
    const identify = identifyByCertificate(authority.poolUid, () => clock.wallMs());
    return { security, identify, enrolment: new Enrolment({ engine, authority, ids, log }) };
  }

  private openSessions(engine: Engine, { box }: SecretsKeeper, secure: SecureEnrolment | undefined): Sessions {
    const { clock, ids, log, version, sessions: settings } = this.options;
    const sessions = createSessions({
      engine,
      ids,
      clock,
      log,
      serverVersion: version,
      openCredentials: (catalog) => openCredentials(box, catalog),
      ...(settings === undefined ? {} : { settings }),
      ...(secure && {
        security: { identify: secure.identify, notice: (peer: HostPeer) => secure.enrolment.notice(peer) },
      }),
    });
    secure?.security.authority.onChange(() => sessions.noticeAll());
    return sessions;
  }

  private followCatalogs(engine: Engine, { box }: SecretsKeeper): void {
    const { clock, log, catalogs: tuning } = this.options;
    const follower = new CatalogFollower({
      engine,
      clock,
      log,
      openCredentials: (catalog) => openCredentials(box, catalog),
      tuning,
    });
    this.opened.defer(() => follower.close());
    follower.start();
  }

  private apiContext({ store, secrets, enrolment }: Core, { engine, hostCalls }: FrontDoor): ApiContext {
    const { clock, ids, version, agentListen } = this.options;
    const vmChanges = new VmChanges(engine);
    this.opened.defer(() => vmChanges.close());
    return {
      engine,
      hostCalls,
      vmChanges,
      secrets,
      backups: new Backups({ store, poolUid: store.poolUid, clock }),
      clock,
      ids,
      version,
      startTimeMs: engine.nowMs(),
      security: enrolment && {
        authority: enrolment.security.authority,
        names: enrolment.security.names,
        // The port is known once it is open, a moment after the API is.
        agentAddresses: () => {
          const { port } = this.agentPort ?? agentListen;
          return enrolment.security.hostsFor(agentListen).map((host) => formatAddress({ host, port }));
        },
      },
    };
  }

  private createAgentPort({ sessions, enrolment: secure }: Core, door: FrontDoor): GrpcServer {
    const { clock } = this.options;
    const server = new GrpcServer(agentServerOptions);
    const { enrolment, identify = () => undefined } = secure ?? {};
    const onRefused: FrontDoor["turnAway"] = (call, error) => door.turnAway(call, error);
    const calls = createAgentCalls({ enrolment, identify, errors: this.errorReporter(), onRefused });
    server.addService(sessions.service.definition, { ...sessions.service.implementation, ...calls });
    this.opened.defer(() => closeGrpc(server, clock, closePortMs));
    return server;
  }

  private async listenForAgents(server: GrpcServer, security: Security | undefined): Promise<Address> {
    const credentials = security?.ports.agents ?? ServerCredentials.createInsecure();
    this.agentPort = await listenGrpc(server, credentials, {
      field: "agent_listen",
      address: this.options.agentListen,
    });
    return this.agentPort;
  }

  private errorReporter(): ErrorReporter {
    const { ids, log } = this.options;
    return createErrorReporter(ids, log, (error) => {
      if (error instanceof AssertionFailed) this.fail(error);
    });
  }

  /** Who is let in: everybody if the server is insecure. */
  private async openAdmission({ engine, enrolment }: Core): Promise<Admission> {
    if (enrolment === undefined) return everybody;
    const { dataDir, clock, issuerKeys } = this.options;
    const admission = await openAdmission({ engine, clock, dataDir, issuerKeys });
    this.opened.defer(() => admission.close());
    return admission;
  }

  private async openDoor(core: Core): Promise<FrontDoor> {
    const { engine, sessions } = core;
    const admission = await this.openAdmission(core);
    const door = await FrontDoor.open({ engine, hostCalls: sessions.calls, admission, clock: this.options.clock });
    this.opened.defer(() => door.close());
    return door;
  }

  private async openApi(core: Core, admission: FrontDoor): Promise<{ readonly grpc: Address; readonly http: Address }> {
    const { listen, httpListen, clock, version } = this.options;
    const { sessions } = core;
    const security = core.enrolment?.security;
    const calls = new ActiveCalls();
    const errors = this.errorReporter();
    const services = createServices(this.apiContext(core, admission)).map((binding) => admission.bind(binding));
    const grpc = createGrpcApi(services, { calls, errors, admission, clock });
    const http = createHttpServer(services, {
      calls,
      errors,
      admission,
      version,
      isReady: () => this.isReady,
      security: security?.ports,
    });
    this.opened.defer(() => closeGrpc(grpc.server, clock, closePortMs));
    this.opened.defer(() => closeHttp(http, clock, closePortMs));
    this.opened.defer(() => within(calls.close(), clock, drainCallsMs));
    this.opened.defer(() => sessions.closeAll("the server is stopping"));
    this.opened.defer(() => {
      this.isReady = false;
      grpc.health.setServing(false);
    });
    const addresses = {
      grpc: await listenGrpc(grpc.server, security?.ports.clients ?? ServerCredentials.createInsecure(), {
        field: "listen",
        address: listen,
      }),
      http: await listenHttp(http, "http_listen", httpListen),
    };
    grpc.health.setServing(true);
    return addresses;
  }
}
