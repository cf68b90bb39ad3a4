/**
 * A canary in every field that holds a secret, in a pool of real processes over TLS whose logs tell all: it must be in nothing
 * that the system writes or sends, but where it belongs.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { after, before, describe, it } from "mocha";
import { guardedServices } from "../../server/access/permissions.ts";
import { EventService } from "../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { parseJoinToken } from "../../shared/tls/join-token.ts";
import { type RunningMac, startSimulatedMac } from "../../simulator/simulated-mac.ts";
import { storageSecret, TestCatalog } from "../support/catalog/test-catalog.ts";
import {
  MeridianProcess,
  runMeridian,
  type ServerProcess,
  startServerProcess,
} from "../support/e2e/meridian-process.ts";
import { until } from "../support/e2e/until.ts";
import { formsOf, Overheard } from "../support/secrets/overheard.ts";
import { findInFiles } from "../support/secrets/raw-files.ts";
import { markedFields, suspectFields } from "../support/secrets/secret-fields.ts";

/** Called as secrets are, and none: what they are instead. */
const noSecrets = [
  // Places in a list.
  /\.(next_)?page_token$/,
  // What there is to be known of a token, a key or credentials.
  /\.(join_token|join_tokens|join_token_id|token_id|tokens|secrets_key|secret_count|has_credentials)$/,
  // Its parts are marked.
  /\.CatalogSpec\.credentials$/,
  // Tokens as resources, without what they are made of.
  /\.CreateToken(?:Request|Response)\.token$|\.token_count$/,
];

describe("secrets in fields of the API", () => {
  it("are marked as such", () => {
    const unmarked = suspectFields().filter((name) => !noSecrets.some((pattern) => pattern.test(name)));
    assert.deepEqual(unmarked, [], "mark these with debug_redact, plant canaries in them, or say what they are");
  });
});

describe("a canary in every secret field", function () {
  this.timeout(120_000);
  const heard = new Overheard();
  /** By the field, or by what it is. */
  const canaries: Record<string, string> = {
    "meridian.v1.CatalogCredentials.password": "",
    "meridian.v1.CatalogCredentials.api_key": "canary-apikey-Wq83nKd0Zx",
    "meridian.v1.ExecStart.env": "canary-env-Hs72mLp4Tv",
    "a password that the catalog refuses": "canary-refused-Rb91cVx5Yk",
    "a password that is malformed": "canary-malformed-Jt46fGn8Ua:",
    "a token that nobody knows": "mst1.canary-unknown-Pz35hDe7Ow",
    "a token that is none": "canary-no-token-Lm58jSq2Ic",
    "the catalog's storage": storageSecret,
    "the catalog's session": "catalog-token-p3Xm8",
    "the password of the local API": "canary-local-api-Ex67rBw1Ny",
  };
  let scratch: string;
  let catalog: TestCatalog;
  let mac: RunningMac;
  let server: ServerProcess;
  let agent: MeridianProcess;

  const dataDir = (): string => join(scratch, "server");
  const agentDir = (): string => join(scratch, "agent");
  const caFile = (): string => join(dataDir(), "tls", "ca.pem");
  const canary = (name: string): string => canaries[name] ?? assert.fail(`there is no canary for ${name}`);

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-canaries-"));
    catalog = await TestCatalog.start();
    canaries["meridian.v1.CatalogCredentials.password"] = catalog.password;
    catalog.manifests = [{ catalog_id: "MACOS-15", version: "v3", tags: ["latest"] }];
    mac = await startSimulatedMac({
      instant: true,
      rootPassword: canary("the password of the local API"),
      catalog: [{ catalogId: "MACOS-15", version: "v3", architecture: "arm64" }],
    });
    server = await startServerProcess(dataDir(), undefined, {
      isSecure: true,
      environment: { MERIDIAN_LOG_LEVEL: "trace" },
    });
    heard.follow("the server's log", () => server.process.stdout + server.process.stderr);
    canaries["the operator's token"] = (await readFile(join(dataDir(), "admin-token"), "utf8")).trim();
    canaries["the key of the secrets"] =
      /msk1\.\S+/.exec(await readFile(join(dataDir(), "secrets.key"), "utf8"))?.[0] ?? "";
  });
  after(async () => {
    await agent?.stop();
    await server?.process.stop();
    await mac?.close();
    await catalog?.close();
    await rm(scratch, { recursive: true, force: true });
  });

  /** Runs a verb as the operator, or as who is given; all that it prints is heard, but an answer that hands out a secret. */
  async function run(line: string, options: RunOptions = {}): Promise<string> {
    const { environment = {}, words = [], exitCode = 0, handsOut = false } = options;
    const verb = line.split(" ");
    const flags = [`--server=${server.addresses.grpc}`, `--ca-file=${caFile()}`];
    const token = { MERIDIAN_TOKEN: canary("the operator's token") };
    const ended = await runMeridian([...verb, ...flags, ...words], { ...token, ...environment });
    assert.equal(ended.exitCode, exitCode, `${line}: ${ended.stderr}`);
    heard.add(`what \`${line}\` complains of`, ended.stderr);
    if (!handsOut) heard.add(`what \`${line}\` prints`, ended.stdout);
    return ended.stdout.trim();
  }

  async function hearingTransport(): Promise<Transport> {
    const proof: Interceptor = (next) => (call) => {
      call.header.set("authorization", `Bearer ${canary("the operator's token")}`);
      return next(call);
    };
    return createGrpcTransport({
      baseUrl: `https://${server.addresses.grpc}`,
      nodeOptions: { ca: await readFile(caFile(), "utf8") },
      interceptors: [heard.interceptor, proof],
    });
  }

  it("is planted", async () => {
    const joinToken = await run("token create --join", { handsOut: true });
    const content = parseJoinToken(joinToken);
    assert.ok(!("problem" in content));
    canaries["meridian.v1.CreateJoinTokenResponse.token"] = content.secret;
    agent = new MeridianProcess(["agent", "--host=mac-1", `--data-dir=${agentDir()}`, `--parallels-url=${mac.url}`], {
      environment: {
        MERIDIAN_LOG_LEVEL: "trace",
        MERIDIAN_JOIN_TOKEN: joinToken,
        MERIDIAN_PARALLELS_USERNAME: "root",
        MERIDIAN_PARALLELS_PASSWORD: canary("the password of the local API"),
      },
    });
    heard.follow("the agent's log", () => agent.stdout + agent.stderr);
    await until("the Mac is in the pool", () => {
      assert.ok(agent.isRunning, agent.stderr);
      return agent.stderr.includes('"connected to server"');
    });
    const account = "token create --service-account ci --role user --project default";
    canaries["meridian.v1.CreateTokenResponse.secret"] = await run(account, { handsOut: true });

    const create = `catalog create --id main --url ${catalog.url} --username ${catalog.username}`;
    await run(create, { environment: { MERIDIAN_PASSWORD: catalog.password } });
    const apiKey = { MERIDIAN_API_KEY: canary("meridian.v1.CatalogCredentials.api_key") };
    await run(`catalog create --id other --url ${catalog.url}`, { environment: apiKey });
    const wrong = { MERIDIAN_PASSWORD: canary("a password that the catalog refuses") };
    await run(`catalog create --id wrong --url ${catalog.url} --username ci`, { environment: wrong });
    const malformed = { MERIDIAN_PASSWORD: canary("a password that is malformed") };
    await run(`catalog create --id odd --url ${catalog.url} --username ci`, { environment: malformed, exitCode: 2 });
    for (const name of ["a token that nobody knows", "a token that is none"]) {
      await run("vm list", { environment: { MERIDIAN_TOKEN: canary(name) }, exitCode: 4 });
    }

    const source = "--catalog main --catalog-id MACOS-15 --os macos --arch arm64 --cpu 4 --memory 8GiB --disk 64GiB";
    await run(`template create --id macos ${source} --ready tools`);
    const caller = { MERIDIAN_TOKEN: canary("meridian.v1.CreateTokenResponse.secret") };
    await run("vm create --id build-1 --template macos --wait", { environment: caller });
    const env = `SECRET=${canary("meridian.v1.ExecStart.env")}`;
    await run("vm exec build-1", { environment: caller, words: ["--env", env, "--", "sw_vers"] });
    await run("vm exec build-1", { environment: caller, words: ["--env", env, "--", "false"], exitCode: 1 });
    await run("vm exec absent", { environment: caller, words: ["--env", env, "--", "true"], exitCode: 3 });
    await run("catalog update main --description same");
    await run("secrets rotate");
    canaries["the newer key of the secrets"] =
      /msk1\.\S+/.exec(await readFile(join(dataDir(), "secrets.key"), "utf8"))?.[0] ?? "";
  });

  it("is there for every field that is marked", () => {
    const planted = new Set(Object.keys(canaries));
    assert.deepEqual(
      markedFields().filter((name) => !planted.has(name)),
      [],
    );
    for (const [name, value] of Object.entries(canaries)) assert.ok(value.length > 15, name);
  });

  it("is in no answer, error, event, metric, log or output", async () => {
    const transport = await hearingTransport();
    for (const service of guardedServices) {
      const client = createClient(service, transport) as unknown as Readonly<
        Record<string, (request: object) => Promise<unknown>>
      >;
      for (const { localName, methodKind } of service.methods) {
        if (methodKind !== "unary" || !/^(list|get|whoAmI|explain|plan)/.test(localName)) continue;
        // Some need a name: their refusals are heard too.
        const ask = client[localName] ?? assert.fail(localName);
        for (const fields of [{}, { name: nameFor(localName) }, { parent: "serviceAccounts/ci" }]) {
          await ask(fields).catch(() => undefined);
        }
      }
    }
    await hearEvents(createClient(EventService, transport));
    for (const path of ["/", "/healthz", "/readyz", "/metrics"]) await hearPage(path);
    for (const noun of ["host", "vm", "template", "catalog", "account", "token", "issuer", "event", "project"]) {
      await run(`${noun} list`);
      await run(`${noun} list --json`);
    }
    await run("catalog get main --json");
    await run("vm get build-1 --json");
    assert.ok(heard.size > 100_000, `only ${heard.size} characters were heard`);
    // What is no secret is found where it should be, by the same way.
    for (const [where, what] of [
      ["the agent's log", "mac-1"],
      ["the server's log", "mac-1"],
      ["answer of ListCatalogs", catalog.url],
      ["answer of WatchEvents", "vms/build-1"],
      ["error of GetVm", "meridian"],
      ["the page /", "eridian"],
    ] as const) {
      assert.ok(heard.find({ what }).includes(`${where}: what`), `${what} is not in ${where}`);
    }
    assert.deepEqual(heard.find(canaries), []);
  });

  it("is in no file but the one that is for it, also of a backup and of what a killed process left", async () => {
    await run(`pool backup --output ${join(scratch, "backup")}`);
    server.process.child.kill("SIGKILL");
    agent.child.kill("SIGKILL");
    await Promise.all([server.process.end(), agent.end()]);
    const names = Object.entries(canaries).filter(([name]) => !/key of the secrets|operator's token/.test(name));
    const needles = names.flatMap(([, value]) => formsOf(value));
    assert.deepEqual(await findInFiles(scratch, needles), []);
    const shown = (await findInFiles(scratch, [catalog.url])).map((found) => found.split(/[/:]/)[0]);
    assert.ok(shown.includes("server") && shown.includes("backup"), `what is no secret is in ${shown.join(", ")}`);
    assert.deepEqual(await findInFiles(scratch, [canary("the operator's token")]), [
      `server/admin-token: ${canary("the operator's token")}`,
    ]);
    for (const name of ["the key of the secrets", "the newer key of the secrets"]) {
      assert.deepEqual(await findInFiles(scratch, [canary(name)]), [`server/secrets.key: ${canary(name)}`]);
    }
  });

  async function hearEvents(events: Client<typeof EventService>): Promise<void> {
    const stop = new AbortController();
    const watching = (async () => {
      for await (const _ of events.watchEvents({ fromRevision: 1n }, { signal: stop.signal })) {
        // Heard on its way.
      }
    })();
    await until("the events are heard", () =>
      heard.find({ exec: "ExecVm" }).some((where) => where.includes("WatchEvents")),
    );
    stop.abort();
    await watching.catch(() => undefined);
  }

  async function hearPage(path: string): Promise<void> {
    const ca = await readFile(caFile(), "utf8");
    const [host = "", port = ""] = server.addresses.http.split(":");
    const headers = { authorization: `Bearer ${canary("the operator's token")}` };
    const text = await new Promise<string>((resolve, reject) => {
      request({ host, port, path, ca, headers }, (response) => {
        let body = JSON.stringify(response.headers);
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve(body));
      })
        .on("error", reject)
        .end();
    });
    heard.add(`the page ${path}`, text);
  }
});

interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Behind the flags, each as it is. */
  readonly words?: readonly string[];
  readonly exitCode?: number;
  /** Its answer is a secret, handed out this once. */
  readonly handsOut?: boolean;
}

/** What there is of the kind that the method is about. */
function nameFor(method: string): string {
  if (method.endsWith("Vm")) return "vms/build-1";
  if (method.endsWith("Host")) return "hosts/mac-1";
  if (method.endsWith("Template")) return "templates/macos";
  if (method.endsWith("Catalog")) return "catalogs/main";
  return "serviceAccounts/ci";
}
