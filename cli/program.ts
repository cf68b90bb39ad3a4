/**
 * The tree of nouns and verbs. Each noun registers its own verbs; what all verbs share (the connection's flags, the
 * environment behind the flags, how errors leave) is added here.
 */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { connectionOptions } from "./connection.ts";
import { applyEnvironment } from "./environment.ts";
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { readVersion } from "./version.ts";

type Register = (program: Program, terminal: Terminal) => void;

/** Loads what registers a noun: only when it is asked for, since a start is mostly loading. */
type NounLoader = () => Promise<Register>;

/** Nouns whose verbs talk to a server. */
const clientNouns: Readonly<Record<string, NounLoader>> = {
  vm: async () => (await import("./vm.ts")).registerVm,
  host: async () => (await import("./host.ts")).registerHost,
  template: async () => (await import("./template.ts")).registerTemplate,
  catalog: async () => (await import("./catalog.ts")).registerCatalog,
  project: async () => (await import("./project.ts")).registerProject,
  pool: async () => (await import("./pool.ts")).registerPool,
  event: async () => (await import("./event.ts")).registerEvent,
  account: async () => (await import("./account.ts")).registerAccount,
  issuer: async () => (await import("./issuer.ts")).registerIssuer,
  whoami: async () => (await import("./who-am-i.ts")).registerWhoAmI,
  token: async () => (await import("./token.ts")).registerToken,
  secrets: async () => (await import("./secrets.ts")).registerSecrets,
  "certificate-authority": async () => (await import("./certificate-authority.ts")).registerCertificateAuthority,
};

/** Nouns that have flags of their own. A new part of the program (a demo, say) is added here. */
const otherNouns: Readonly<Record<string, NounLoader>> = {
  server: async () => (await import("./server.ts")).registerServer,
  agent: async () => (await import("./agent.ts")).registerAgent,
  simulate: async () => (await import("./simulate.ts")).registerSimulate,
  demo: async () => (await import("./demo.ts")).registerDemo,
  context: async () => (await import("./context.ts")).registerContext,
  completion: async () => (await import("./completion.ts")).registerCompletion,
};

/** @param noun the first word that was given: if it is a noun, the tree has only that one. Default: it has all. */
export async function buildProgram(terminal: Terminal, noun?: string): Promise<Program> {
  const { stdout, stderr } = terminal;
  const program: Program = new Command("meridian")
    .description("Runs a pool of Macs with Parallels Desktop as one machine.")
    .version(readVersion())
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // `main` tells every error, in one form.
      outputError: () => undefined,
      getOutHelpWidth: () => helpWidth(stdout.columns()),
      getErrHelpWidth: () => helpWidth(stderr.columns()),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText("after", epilogue);
  const only = isNoun(noun) ? noun : undefined;
  for (const register of await loadNouns(clientNouns, only)) register(program, terminal);
  for (const verb of program.commands.flatMap(leavesOf)) addConnectionOptions(verb);
  for (const register of await loadNouns(otherNouns, only)) register(program, terminal);
  for (const option of connectionOptions()) program.addOption(option.hideHelp());
  program.hook("preAction", (_program, verb) => applyEnvironment(verb, terminal.environment));
  return program;
}

function isNoun(word: string | undefined): boolean {
  return word !== undefined && (Object.hasOwn(clientNouns, word) || Object.hasOwn(otherNouns, word));
}

function loadNouns(
  nouns: Readonly<Record<string, NounLoader>>,
  only: string | undefined,
): Promise<readonly Register[]> {
  const wanted = Object.entries(nouns).filter(([name]) => only === undefined || name === only);
  return Promise.all(wanted.map(([, load]) => load()));
}

/** The verbs of a tree of commands: its leaves, and commands with flags of their own, such as `server`, above others. */
export function leavesOf(command: CommandUnknownOpts): readonly CommandUnknownOpts[] {
  if (command.commands.length === 0) return [command];
  const isVerb = command.parent !== null && command.options.length > 0;
  return [...(isVerb ? [command] : []), ...command.commands.flatMap(leavesOf)];
}

/** A verb that has a flag of that name already, such as a --timeout with another default, keeps its own. */
function addConnectionOptions(verb: CommandUnknownOpts): void {
  for (const option of connectionOptions()) {
    const isTaken = verb.options.some(({ long }) => long === option.long);
    if (!isTaken) verb.addOption(option.helpGroup("Connection and output:"));
  }
}

/** Wider lines are hard to read, and a pipe has no width. */
const helpWidthMax = 110;

function helpWidth(columns: number): number {
  return Math.min(columns, helpWidthMax);
}

const epilogue = `
Every flag has an environment variable: --server is MERIDIAN_SERVER.
\`meridian NOUN VERB --help\` shows a verb's flags and examples.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied, 5 unavailable, 6 timed out.
`;
