/**
 * A guest without an inside: a small table of commands, enough for probes and for tests that need an exit code. Anything
 * else ends with 127, as a shell says of a command that it does not find.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import type { CommandOutcome, Guest, GuestWorld } from "./guest-world.ts";
import { splitWords } from "./shell-words.ts";

export function createTableGuests(clock: Clock): GuestWorld {
  return {
    boot: async () => {},
    shutDown: () => {},
    remove: () => {},
    execute: (guest, commandLine, signal) => run(splitWords(commandLine), { guest, clock, signal }),
    close: async () => {},
  };
}

interface Setting {
  readonly guest: Guest;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function run(words: readonly string[], setting: Setting): Promise<CommandOutcome> {
  const [command = "", ...rest] = words;
  // Variables change nothing here; what they are set for is run.
  if (command === "env" || /^[A-Za-z_]\w*=/.test(command)) return run(rest, setting);
  switch (command.slice(command.lastIndexOf("/") + 1)) {
    case "true":
    case "":
      return ended(0);
    case "false":
      return ended(1);
    case "exit":
      return ended(Number(rest[0] ?? 0) & 255);
    case "echo":
      return ended(0, `${rest.join(" ")}\n`);
    case "uname":
      return ended(0, `${unameOf(rest[0], setting.guest)}\n`);
    case "sw_vers":
      return setting.guest.os === "macosx" ? ended(0, "15.5\n") : notFound(command);
    case "sleep":
      await sleep(setting.clock, Number(rest[0] ?? 0) * 1_000, setting.signal);
      return ended(0);
    case "sh":
    case "bash":
      return rest[0] === "-c" ? run(splitWords(rest[1] ?? ""), setting) : notFound(command);
    default:
      return notFound(command);
  }
}

function unameOf(flag: string | undefined, guest: Guest): string {
  if (flag === "-m") return guest.architecture === "arm64" && guest.os !== "macosx" ? "aarch64" : guest.architecture;
  return guest.os === "macosx" ? "Darwin" : "Linux";
}

function ended(exitCode: number, stdout = ""): CommandOutcome {
  return { stdout, stderr: "", exitCode };
}

function notFound(command: string): CommandOutcome {
  return { stdout: "", stderr: `sh: ${command}: command not found\n`, exitCode: 127 };
}
