/**
 * Where flags come from when they are not on the command line: an environment variable for each (--data-dir is
 * MERIDIAN_DATA_DIR), and behind that, for server and agent, a config file with the flags' names as keys.
 */
import { readFileSync } from "node:fs";
import { type CommandUnknownOpts, InvalidArgumentError, type Option } from "@commander-js/extra-typings";
import { type Failure, wrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** The variable of a flag, such as MERIDIAN_DATA_DIR. */
export function variableOf(option: Option): string {
  return `MERIDIAN_${option.name().toUpperCase().replaceAll("-", "_")}`;
}

/** Fills in, from the environment, the flags that the command line left open. */
export function applyEnvironment(command: CommandUnknownOpts, environment: Terminal["environment"]): void {
  for (const option of openOptions(command)) {
    const variable = variableOf(option);
    const text = environment[variable];
    if (text !== undefined && text !== "") apply(command, option, { text, source: "env", where: variable });
  }
}

/** Fills in, from a JSON file, the flags that command line and environment left open. */
export function applyConfigFile(command: CommandUnknownOpts, path: string): void {
  const content = readConfig(path);
  const known = new Set(command.options.map((option) => option.name()));
  for (const key of Object.keys(content)) {
    if (!known.has(key) || key === "config") {
      throw wrongUsage(
        `${path}: there is no setting "${key}"`,
        `The settings are the flags' names: ${[...known].join(", ")}.`,
      );
    }
  }
  for (const option of openOptions(command)) {
    const value = content[option.name()];
    const texts = Array.isArray(value) ? value : [value];
    for (const text of texts.filter((part) => part !== undefined)) {
      if (typeof text === "object") throw wrongUsage(`${path}: "${option.name()}" must be a text, a number or true`);
      apply(command, option, { text: String(text), source: "config", where: `${path}: ${option.name()}` });
    }
  }
}

interface Given {
  readonly text: string;
  readonly source: "env" | "config";
  /** Where it stands, for people. */
  readonly where: string;
}

function openOptions(command: CommandUnknownOpts): readonly Option[] {
  return command.options.filter((option) => {
    const source = command.getOptionValueSource(option.attributeName());
    return source === undefined || source === "default";
  });
}

function apply(command: CommandUnknownOpts, option: Option, given: Given): void {
  const key = option.attributeName();
  if (option.required || option.optional) {
    // Repeated flags collect: each further value is added to what stands there from this same source.
    const isFurther = command.getOptionValueSource(key) === given.source;
    const previous: unknown = isFurther ? command.getOptionValue(key) : undefined;
    command.setOptionValueWithSource(key, parse(option, given, previous), given.source);
  } else if (isTrue(given)) {
    command.setOptionValueWithSource(key, true, given.source);
  }
}

function parse(option: Option, { text, where }: Given, previous: unknown): unknown {
  if (option.parseArg === undefined) return text;
  try {
    return option.parseArg(text, previous);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw invalid(where, text, error.message);
    throw error;
  }
}

function isTrue({ text, where }: Given): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw invalid(where, text, "Write true or false.");
}

function invalid(where: string, text: string, hint: string): Failure {
  return wrongUsage(`${where} has the invalid value "${text}"`, hint);
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw wrongUsage(`cannot read the config file ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrongUsage(`the config file ${path} must hold one JSON object`, 'Such as {"data-dir": "/var/lib/meridian"}.');
  }
  return { ...value };
}
