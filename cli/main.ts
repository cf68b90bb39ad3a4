/** The entry of the program: builds the tree of commands, runs one, and turns what it throws into words and an exit code. */
import { CommanderError, type CommandUnknownOpts, InvalidArgumentError } from "@commander-js/extra-typings";
import { exitCodes } from "./exit-codes.ts";
import { Failure, failureJson, failureLine, QuietExit, wrongUsage } from "./failure.ts";
import { openProcessTerminal } from "./process-terminal.ts";
import { buildProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

/** Runs the program as a process: `argv` as Node has it. Sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const { terminal, close } = openProcessTerminal((exitCode) => process.exit(exitCode));
  process.exitCode = await run(argv.slice(2), terminal);
  close();
}

/** Runs the program on any terminal and returns its exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = await buildProgram(terminal, args[0]);
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof QuietExit) return error.exitCode;
    const failure = asFailure(error, deepestCommand(program, args));
    if (failure === undefined) return error instanceof CommanderError ? helpExitCode(error) : exitCodes.failed;
    terminal.stderr.write(`${isJsonWanted(args, terminal) ? failureJson(failure) : failureLine(failure)}\n`);
    return failure.options.exitCode;
  }
}

/** What there is to tell; nothing when help or the version was shown. */
function asFailure(error: unknown, command: CommandUnknownOpts): Failure | undefined {
  if (error instanceof Failure) return error;
  if (error instanceof InvalidArgumentError) return wrongUsage(error.message);
  if (error instanceof CommanderError) return helpCodes.includes(error.code) ? undefined : usageFailure(error, command);
  const message = error instanceof Error ? error.message : String(error);
  return new Failure(message, { exitCode: exitCodes.failed, cause: error });
}

const helpCodes = ["commander.help", "commander.helpDisplayed", "commander.version"];

/** Help that was asked for is a success; help that is shown because the verb is missing is not. */
function helpExitCode({ code, exitCode }: CommanderError): number {
  return code === "commander.help" && exitCode !== 0 ? exitCodes.wrongUsage : exitCodes.done;
}

/** Commander's sentence and its guess at what was meant, in our form. */
function usageFailure({ message }: CommanderError, command: CommandUnknownOpts): Failure {
  const [what = "", guess] = message.replace(/^error: /, "").split("\n");
  const path = pathOf(command);
  const help = `\`${path} --help\` says what there is.`;
  const isGuestFlag = path === "meridian vm exec" && what.startsWith("unknown option");
  const hint = isGuestFlag ? "Put -- before the guest's command." : (guess?.replace(/^\((.*)\)$/, "$1") ?? help);
  return wrongUsage(what, hint);
}

function deepestCommand(program: CommandUnknownOpts, args: readonly string[]): CommandUnknownOpts {
  let command = program;
  for (const arg of args) command = command.commands.find((child) => child.name() === arg) ?? command;
  return command;
}

function pathOf(command: CommandUnknownOpts): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Looked up by hand, since arguments that commander refused were never parsed to the end. */
function isJsonWanted(args: readonly string[], { environment }: Terminal): boolean {
  const end = args.indexOf("--");
  const own = end === -1 ? args : args.slice(0, end);
  return own.includes("--json") || /^(1|true|yes|on)$/i.test(environment["MERIDIAN_JSON"] ?? "");
}
