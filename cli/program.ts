/**
 * The tree of nouns and verbs. Each noun registers its own verbs; what all verbs share (the connection's flags, the
 * environment behind the flags, how errors leave) is added here.
 */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { registerAgent } from "./agent.ts";
import { registerCatalog } from "./catalog.ts";
import { registerCompletion } from "./completion.ts";
import { connectionOptions } from "./connection.ts";
import { registerContext } from "./context.ts";
import { registerDemo } from "./demo.ts";
import { applyEnvironment } from "./environment.ts";
import { registerEvent } from "./event.ts";
import { registerHost } from "./host.ts";
import { registerPool } from "./pool.ts";
import type { Program } from "./program-type.ts";
import { registerProject } from "./project.ts";
import { registerServer } from "./server.ts";
import { registerSimulate } from "./simulate.ts";
import { registerTemplate } from "./template.ts";
import type { Terminal } from "./terminal.ts";
import { readVersion } from "./version.ts";
import { registerVm } from "./vm.ts";

type Register = (program: Program, terminal: Terminal) => void;

/** Nouns whose verbs talk to a server. */
const clientNouns: readonly Register[] = [
  registerVm,
  registerHost,
  registerTemplate,
  registerCatalog,
  registerProject,
  registerPool,
  registerEvent,
];

/** Nouns that have flags of their own. A new part of the program (a demo, say) is added here. */
const otherNouns: readonly Register[] = [
  registerServer,
  registerAgent,
  registerSimulate,
  registerDemo,
  registerContext,
  registerCompletion,
];

export function buildProgram(terminal: Terminal): Program {
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
  for (const register of clientNouns) register(program, terminal);
  for (const verb of leavesOf(program)) addConnectionOptions(verb);
  for (const register of otherNouns) register(program, terminal);
  for (const option of connectionOptions()) program.addOption(option.hideHelp());
  program.hook("preAction", (_program, verb) => applyEnvironment(verb, terminal.environment));
  return program;
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
