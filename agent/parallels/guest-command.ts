/**
 * The one string that a guest's shell runs. The service passes it on as a single argument and knows no list of arguments, and
 * its own way to set variables lets a quote break out; so every word is quoted here, and variables are set by `env`.
 */
import { type ExecuteRequest, ParallelsError } from "./api.ts";

/** Below what macOS and Linux take for all arguments together, with room for what is wrapped around it. */
const commandBytesMax = 128 * 1024;

/** @returns such as `env 'A=b c' echo 'it'\''s'`. */
export function buildGuestCommand(request: Pick<ExecuteRequest, "command" | "env">): string {
  const variables = Object.entries(request.env ?? {}).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new ParallelsError("failed", "a variable's name is not one of a shell");
    return `${name}=${value}`;
  });
  const [program] = request.command;
  if (program === undefined || program === "") throw new ParallelsError("failed", "the command names no program");
  // After `env`, a program with a "=" in its name would be one more variable.
  if (program.includes("=")) throw new ParallelsError("failed", 'the program\'s name holds a "="');
  const words = variables.length === 0 ? request.command : ["env", ...variables, ...request.command];
  const text = words.map(quoteForShell).join(" ");
  if (Buffer.byteLength(text) > commandBytesMax) {
    throw new ParallelsError("failed", `the command is longer than ${commandBytesMax} bytes`);
  }
  return text;
}

/** One word of a POSIX shell: in single quotes nothing is special, so a quote itself must stand outside of them. */
export function quoteForShell(word: string): string {
  if (word.includes("\0")) throw new ParallelsError("failed", "the command holds a NUL");
  return /^[A-Za-z0-9_@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
