/** What can stand at the cursor: a verb, a flag, a flag's value or a name, from the tree of commands. */
import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { Terminal } from "../terminal.ts";
import type { Candidate } from "./candidate.ts";
import { completeNames, isNamed } from "./names.ts";

/** @param words what stands after `meridian`; the last one is being written and may be empty. */
export async function candidatesFor(
  program: CommandUnknownOpts,
  words: readonly string[],
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  const place = findPlace(program, words);
  const candidates = await candidatesAt(place, terminal);
  return candidates.filter(({ text }) => text.startsWith(place.started));
}

/** Where in the tree the cursor is. */
interface Place {
  readonly command: CommandUnknownOpts;
  /** Flags with a value that were written before the cursor, by name. */
  readonly given: ReadonlyMap<string, string>;
  /** The flag whose value is being written. */
  readonly option: Option | undefined;
  /** How many operands of the verb stand before the cursor. */
  readonly operandCount: number;
  /** The cursor is behind `--`, where everything is somebody else's. */
  readonly isBehindDashes: boolean;
  /** The beginning of the word at the cursor. */
  readonly started: string;
}

function findPlace(program: CommandUnknownOpts, written: readonly string[]): Place {
  // bash makes three words of --flag=value.
  const words = written.filter((word, index) => word !== "=" || index === written.length - 1);
  const started = words.at(-1) ?? "";
  const given = new Map<string, string>();
  let command = program;
  let option: Option | undefined;
  let operandCount = 0;
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) {
      given.set(option.name(), word);
      option = undefined;
    } else if (word === "--") {
      return { command, given, option, operandCount, isBehindDashes: true, started };
    } else if (word.startsWith("-")) {
      const flag = command.options.find(({ short, long }) => word === short || word === long);
      if (flag?.required === true) option = flag;
    } else {
      const child = command.commands.find((candidate) => candidate.name() === word);
      if (child === undefined) operandCount += 1;
      else command = child;
    }
  }
  return { command, given, option, operandCount, isBehindDashes: false, started: started === "=" ? "" : started };
}

async function candidatesAt(place: Place, terminal: Terminal): Promise<readonly Candidate[]> {
  const { command, option, operandCount, isBehindDashes, started, given } = place;
  if (isBehindDashes) return [];
  if (option !== undefined) return valuesOf({ name: option.name(), choices: option.argChoices }, given, terminal);
  if (started.startsWith("-")) return flagsOf(command);
  if (command.commands.length > 0) return verbsOf(command);
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[operandCount] ?? (last?.variadic === true ? last : undefined);
  if (argument === undefined) return [];
  return valuesOf({ name: argument.name(), choices: argument.argChoices }, given, terminal);
}

async function valuesOf(
  value: { readonly name: string; readonly choices: readonly string[] | undefined },
  given: ReadonlyMap<string, string>,
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  if (value.choices !== undefined) return value.choices.map((text) => ({ text, description: "" }));
  return isNamed(value.name) ? completeNames(value.name, given, terminal) : [];
}

function flagsOf(command: CommandUnknownOpts): readonly Candidate[] {
  const help = { text: "--help", description: "show help" };
  const flags = command.options
    .filter(({ hidden }) => !hidden)
    .flatMap(({ long, description }) => (typeof long === "string" ? { text: long, description } : []));
  return [...flags, help];
}

function verbsOf(command: CommandUnknownOpts): readonly Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((child) => ({ text: child.name(), description: child.summary() }));
}
