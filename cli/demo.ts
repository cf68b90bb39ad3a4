/** `meridian demo`: server, simulated Macs and the whole story in one terminal, no Mac needed. */
import { createServer } from "node:net";
import { Option } from "@commander-js/extra-typings";
import { VmStatus_StateSchema } from "../shared/gen/es/meridian/v1/vm_pb.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { silenceGrpc } from "./grpc-log.ts";
import type { DemoPool } from "./lab/demo-pool.ts";
import type { StoryTeller } from "./lab/demo-story.ts";
import { paintFor } from "./output/paint.ts";
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { enumName } from "./values/enum.ts";
import { wholeNumber } from "./values/number.ts";
import { examples } from "./verbs.ts";

/** Each simulated Mac serves a port of its own and has room for two guests: more only make the story longer. */
const hostsMax = 50;

/** The story takes some twenty seconds; one that takes this long hangs, and nobody may be there to interrupt it. */
const storyMaxMs = 180_000;

export function registerDemo(program: Program, terminal: Terminal): void {
  program
    .command("demo")
    .summary("see all of it in one terminal, without a Mac")
    .description(
      "Starts a server and simulated Macs, makes a VM of a template, runs a command in it, makes more VMs than there is room " +
        "for, and takes everything away again. Then it stays up, so that you can look around, until Ctrl-C.",
    )
    .addOption(new Option("--hosts <number>", "how many simulated Macs").argParser(wholeNumber(1, hostsMax)).default(3))
    .addOption(new Option("--once", "end after the story"))
    .addHelpText("after", examples("demo", "demo --once", "demo --hosts 10"))
    .action((flags) => demo(terminal, { hosts: flags.hosts, isOnce: flags.once === true }));
}

async function demo(
  terminal: Terminal,
  { hosts, isOnce }: { readonly hosts: number; readonly isOnce: boolean },
): Promise<void> {
  // Only here, so that no other verb waits for server, agents and simulated Macs to load.
  const { startDemoPool } = await import("./lab/demo-pool.ts");
  const { tellStory } = await import("./lab/demo-story.ts");
  await silenceGrpc();
  const patience = new AbortController();
  const timer = terminal.clock.after(storyMaxMs, () => patience.abort());
  const teller = createTeller(terminal, AbortSignal.any([terminal.interrupted, patience.signal]));
  const pool = await startDemoPool({ hosts, ports: await choosePorts(isOnce) });
  try {
    teller.chapter("A server");
    const { grpc, agent, http } = pool.server.addresses;
    teller.say(`It serves clients at ${grpc}, agents at ${agent}, and JSON over HTTP at ${http}.`);
    await tellStory(pool, teller);
    timer.cancel();
    if (!isOnce) await stayUp(terminal, pool);
  } catch (error) {
    if (terminal.interrupted.aborted) return;
    const reason = patience.signal.aborted ? await describeStall(pool) : describeError(error);
    throw new Failure(`the demo's story broke off: ${reason}`, { exitCode: exitCodes.failed, cause: error });
  } finally {
    timer.cancel();
    await pool.close();
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What was not done when patience ended. */
async function describeStall(pool: DemoPool): Promise<string> {
  const { vms } = await pool.vms.listVms({}, { timeoutMs: 5_000 });
  const states = vms.map(({ name, status }) => `${name} is ${enumName(VmStatus_StateSchema, status?.state ?? 0)}`);
  return `it took longer than ${storyMaxMs / 1000} s; ${states.join(", ")}`;
}

function createTeller(terminal: Terminal, signal: AbortSignal): StoryTeller {
  const { stdout, clock } = terminal;
  const paint = paintFor(terminal, stdout);
  const startMs = clock.monotonicMs();
  const stamp = (): string => `${((clock.monotonicMs() - startMs) / 1000).toFixed(1).padStart(5)} s`;
  return {
    chapter: (title) => stdout.write(`\n${paint(title, "strong")}\n`),
    say: (sentence) => stdout.write(`${paint(stamp(), "dim")}  ${sentence}\n`),
    quote: (text) => stdout.write(text.trimEnd().replace(/^/gm, "         | ").concat("\n")),
    nowMs: () => clock.monotonicMs(),
    signal,
  };
}

async function stayUp({ stdout, interrupted }: Terminal, pool: DemoPool): Promise<void> {
  const { grpc, http } = pool.server.addresses;
  const server = grpc === "127.0.0.1:7070" ? "" : ` --server ${grpc}`;
  stdout.write(`
The pool stays up until Ctrl-C. In another terminal:

  npx meridian host list${server}
  npx meridian template list${server}
  npx meridian vm create --template macos-15 --wait${server}
  npx meridian vm list${server}
  npx meridian vm explain NAME${server}
  npx meridian pool status${server}
  grpcurl -plaintext ${grpc} list
  curl -H 'content-type: application/json' -d '{}' http://${http}/meridian.v1.PoolService/GetPool
`);
  await new Promise<void>((resolve) => {
    if (interrupted.aborted) resolve();
    else interrupted.addEventListener("abort", () => resolve(), { once: true });
  });
  stdout.write("\nending: the Macs, their VMs and the server\n");
}

/** The usual ports, so that no command needs an address; free ones if another server has them, or if nobody will ask. */
async function choosePorts(isOnce: boolean): Promise<{ grpc: number; agent: number; http: number }> {
  const usual = { grpc: 7070, agent: 7071, http: 7080 };
  const areFree = !isOnce && (await Promise.all(Object.values(usual).map(isFree))).every(Boolean);
  return areFree ? usual : { grpc: 0, agent: 0, http: 0 };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
