/** Runs verbs inside the test's process, against a scripted server that is there for one run. */
import { run } from "../../../cli/main.ts";
import { type CapturedTerminalOptions, captureTerminal } from "./captured-terminal.ts";
import { type Script, startScriptedServer } from "./scripted-server.ts";

export interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** The calls that the server got. */
  readonly calls: readonly {
    readonly name: string;
    readonly authorization: string | null;
    readonly timeout: string | null;
  }[];
}

export async function runAgainst(
  script: Script,
  args: readonly string[],
  options: CapturedTerminalOptions = {},
): Promise<Ran> {
  const server = await startScriptedServer(script);
  try {
    const environment = { MERIDIAN_SERVER: server.address, ...options.environment };
    const ran = await runAlone(args, { ...options, environment });
    return { ...ran, calls: [...server.calls] };
  } finally {
    await server.close();
  }
}

/** Without any server. */
export async function runAlone(args: readonly string[], options: CapturedTerminalOptions = {}): Promise<Ran> {
  const terminal = captureTerminal(options);
  const exitCode = await run(args, terminal);
  return { exitCode, out: terminal.out(), err: terminal.err(), calls: [] };
}
