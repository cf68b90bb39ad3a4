import assert from "node:assert/strict";
import { ChannelCredentials } from "@grpc/grpc-js";
import { createGrpcTransport } from "../../../../agent/link/grpc-transport.ts";
import { defaultLinkTuning, Link } from "../../../../agent/link/link.ts";
import type { LinkSource, SessionRefusal } from "../../../../agent/link/link-source.ts";
import { systemClock } from "../../../../shared/clock.ts";
import {
  CommandUpdate,
  CommandUpdate_State,
  Heartbeat,
  Hello,
  HostVm,
  Inventory,
  type Leases,
} from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { commandOf } from "../../../support/agent/commands.ts";
import { startFreezableServer } from "../../../support/agent/frozen-server.ts";
import {
  type ScriptedBehaviour,
  type ScriptedServer,
  startScriptedServer,
} from "../../../support/agent/scripted-server.ts";
import { until } from "../../../support/agent/wait.ts";

const { STATE_SUCCEEDED, STATE_RUNNING } = CommandUpdate_State;

function updateOf(commandId: string, state: CommandUpdate_State = STATE_SUCCEEDED): CommandUpdate {
  return CommandUpdate.create({ commandId, state });
}

/** A source that notes what it hears, and has to tell what the test gives it. */
class NotingSource implements LinkSource {
  readonly heard: string[] = [];
  readonly acknowledged: string[] = [];
  openCommands: CommandUpdate[] = [];
  changes = 0;
  refusal: SessionRefusal | undefined;
  #sequence = 0;

  hello = (): Hello => Hello.create({ hostId: "mac-01", protocolVersion: 1, commands: this.openCommands });
  heartbeat = (): Heartbeat => Heartbeat.create({ inventorySequence: this.#sequence });
  takeInventory = (): Inventory | undefined => {
    if (this.changes === 0) return undefined;
    this.changes = 0;
    return Inventory.create({ sequence: ++this.#sequence });
  };
  onWelcome = ({ epoch }: { readonly epoch: number }): SessionRefusal | undefined => {
    this.heard.push(`welcome ${epoch}`);
    return this.refusal;
  };
  onHelloOutdated = (): number => this.heard.push("hello outdated");
  onLeases = ({ leases }: Leases): number => this.heard.push(`leases ${leases.length}`);
  onSettings = (): undefined => undefined;
  onCertificateNotice = (): undefined => undefined;
  onCommand = ({ id }: { readonly id: string }): number => this.heard.push(`command ${id}`);
  onCancel = (commandId: string): number => this.heard.push(`cancel ${commandId}`);
  onSendInventory = (): number => this.heard.push("send inventory");
  onUpdateSent = ({ vm }: CommandUpdate): void => {
    if (vm !== undefined) this.changes += 1;
  };
  onAcknowledged = (commandId: string): number => this.acknowledged.push(commandId);
}

describe("the link, over real gRPC", () => {
  let source: NotingSource;
  const servers: ScriptedServer[] = [];
  const links: Link[] = [];

  beforeEach(() => {
    source = new NotingSource();
  });

  afterEach(async () => {
    await Promise.all(links.splice(0).map((link) => link.close("ShuttingDown", "")));
    for (const server of servers.splice(0)) server.close();
  });

  async function serve(behaviour: ScriptedBehaviour = {}, port = 0): Promise<ScriptedServer> {
    const server = await startScriptedServer(behaviour, port);
    servers.push(server);
    return server;
  }

  function connect(addresses: readonly string[]): { readonly link: Link; readonly ended: Promise<void> } {
    const link = new Link({
      servers: addresses,
      transport: createGrpcTransport({
        credentials: () => ChannelCredentials.createInsecure(),
        keepaliveMs: 1_000,
        keepaliveTimeoutMs: 500,
      }),
      source,
      clock: systemClock,
      random: () => 0.1,
      log: silentLogger,
      tuning: { ...defaultLinkTuning, session: { welcomeLimitMs: 300, goodbyeLimitMs: 300 } },
    });
    links.push(link);
    return { link, ended: link.run() };
  }

  it("says nothing after its Hello until it is welcomed", async () => {
    const server = await serve({ welcomes: false });
    const { link } = connect([server.address]);
    await until(() => server.streams[0]?.hello !== undefined, "a hello");
    link.sendHeartbeat();
    link.sendUpdate(updateOf("a"));
    await until(() => server.streams.length === 2, "another dial");
    assert.equal(server.streams[0]?.received.length, 1);
  });

  it("leaves a server that never welcomes and tries the next", async () => {
    const silent = await serve({ welcomes: false });
    const good = await serve();
    connect([silent.address, good.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    assert.equal(silent.streams.length, 1);
    assert.equal(good.streams.length, 1);
  });

  it("dials on when nobody listens, and comes in when somebody does", async () => {
    const gone = await serve();
    const port = Number(gone.address.split(":")[1]);
    gone.close();
    connect([gone.address]);
    await serve({}, port);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
  });

  it("counts its dials anew when the server takes its Hello for an old one, and comes back", async () => {
    const server = await serve({ welcomes: false });
    connect([server.address]);
    await until(() => server.streams[0]?.hello !== undefined, "a hello");
    assert.deepEqual(source.heard, []);
    server.streams[0]?.goodbye({ reason: "HelloOutdated", retryAfterMs: 0 });
    await until(() => server.streams.length === 2, "another dial");
    assert.deepEqual(source.heard, ["hello outdated"]);
  });

  it("counts its messages from 1 in every stream", async () => {
    const server = await serve();
    const { link } = connect([server.address]);
    for (const stream of [0, 1]) {
      await until(() => source.heard.length === stream + 1, "a welcome");
      link.sendUpdate(updateOf("a", STATE_RUNNING));
      await until(() => server.streams[stream]?.received.length === 2, "an update");
      assert.deepEqual(
        server.streams[stream]?.received.map((message) => message.sequence),
        [1, 2],
      );
      server.streams[stream]?.destroy();
    }
  });

  it("opens a new session after one that broke", async () => {
    const server = await serve();
    connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    server.streams[0]?.destroy();
    await until(() => source.heard.includes("welcome 2"), "a second welcome");
  });

  it("counts the end of a command as told only when its message is acknowledged", async () => {
    const server = await serve({ acknowledges: false });
    const { link } = connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    link.sendUpdate(updateOf("a"));
    link.sendUpdate(updateOf("b"));
    await until(() => server.streams[0]?.received.length === 3, "two updates");
    assert.deepEqual(source.acknowledged, []);
    server.streams[0]?.acknowledge(2);
    await until(() => source.acknowledged.length === 1, "an acknowledgement");
    assert.deepEqual(source.acknowledged, ["a"]);
    server.streams[0]?.acknowledge(3);
    await until(() => source.acknowledged.length === 2, "the other");
  });

  it("puts right after an update what it tells of a VM that is another by now", async () => {
    const server = await serve();
    const { link } = connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    link.sendUpdate({ ...updateOf("a"), vm: HostVm.create({ id: "vm-1", state: "running" }) });
    await until(() => server.streams[0]?.received.length === 3, "an update and an inventory");
    assert.deepEqual(
      server.streams[0]?.received.map(({ payload }) => payload?.$case),
      ["hello", "commandUpdate", "inventory"],
    );
  });

  it("counts the ends in a Hello as told when the Hello is acknowledged, and no others", async () => {
    source.openCommands = [updateOf("ended"), updateOf("running", STATE_RUNNING)];
    const server = await serve();
    connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    assert.deepEqual(source.acknowledged, ["ended"]);
    assert.deepEqual(
      server.streams[0]?.hello?.commands.map((update) => update.commandId),
      ["ended", "running"],
    );
  });

  it("hands on what the server says, in order", async () => {
    const server = await serve();
    connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    const stream = server.streams[0];
    const command = commandOf(undefined);
    stream?.command(command);
    stream?.say({ $case: "cancelCommand", cancelCommand: { commandId: command.id, reason: "" } });
    stream?.say({ $case: "sendInventory", sendInventory: { reason: "" } });
    await until(() => source.heard.length === 4, "three messages");
    assert.deepEqual(source.heard.slice(1), [`command ${command.id}`, `cancel ${command.id}`, "send inventory"]);
  });

  it("comes back when a Goodbye says so, and not earlier", async () => {
    const server = await serve();
    connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    const saidAtMs = performance.now();
    server.streams[0]?.goodbye({ retryAfterMs: 400 });
    await until(() => source.heard.includes("welcome 2"), "a second welcome");
    assert(performance.now() - saidAtMs >= 400);
  });

  it("stops for good when a Goodbye says so", async () => {
    const server = await serve();
    const { ended } = connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    server.streams[0]?.goodbye({ reason: "Superseded", retryAfterMs: -1 });
    await ended;
    assert.equal(server.streams.length, 1);
  });

  it("says Goodbye when it is closed", async () => {
    const server = await serve();
    const { link, ended } = connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    await link.close("ShuttingDown", "for the test");
    await ended;
    await until(() => server.streams[0]?.payloads("goodbye").length === 1, "a goodbye");
    assert.equal(server.streams[0]?.payloads("goodbye")[0]?.goodbye.reason, "ShuttingDown");
  });

  it("ends at once when it is closed while it waits to dial, and twice is harmless", async () => {
    const gone = await serve();
    gone.close();
    const { link, ended } = connect([gone.address]);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([link.close("ShuttingDown", ""), link.close("ShuttingDown", "")]);
    await ended;
  });

  it("says Hello anew at once when it is renewed", async () => {
    const server = await serve();
    const { link } = connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    link.renew("FactsChanged", "");
    await until(() => source.heard.includes("welcome 2"), "a second welcome");
    assert.equal(server.streams[0]?.payloads("goodbye")[0]?.goodbye.reason, "FactsChanged");
  });

  it("keeps one update a command and one inventory for a server that does not read", async () => {
    const server = await serve({ reads: false });
    const { link } = connect([server.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    const filler = "x".repeat(20_000);
    for (let round = 0; round < 400; round += 1) {
      for (const commandId of ["a", "b"]) {
        const progress = { step: filler, percent: round / 4, etaMs: round, message: "" };
        link.sendUpdate({ ...updateOf(commandId, STATE_RUNNING), progress });
      }
      source.changes += 1;
      link.sendInventory();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(source.changes > 0, true, "the inventory waits in the source");
    server.streams[0]?.resumeReading();
    const lastOf = (id: string): number | undefined => server.streams[0]?.updatesOf(id).at(-1)?.progress?.etaMs;
    await until(() => lastOf("a") === 399 && lastOf("b") === 399, "the last updates");
    assert((server.streams[0]?.received.length ?? 0) < 600, `${server.streams[0]?.received.length} messages`);
    await until(() => source.changes === 0, "the inventory");
  });

  it("notices by itself a server that is frozen", async () => {
    const frozen = await startFreezableServer();
    const good = await serve();
    connect([frozen.address, good.address]);
    await until(() => source.heard.includes("welcome 1"), "a welcome");
    frozen.freeze();
    const welcomes = (): number => source.heard.filter((line) => line === "welcome 1").length;
    await until(() => welcomes() === 2, "the other server").finally(() => frozen.kill());
  });
});
