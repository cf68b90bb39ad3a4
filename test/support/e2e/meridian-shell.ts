/** Command lines as people type them, run by a shell with a home of its own. */
import assert from "node:assert/strict";
import { type EndedProcess, MeridianProcess } from "./meridian-process.ts";

/** `npx` finds the same program, and needs a second to find it. */
const npx = /\bnpx meridian\b/;

export class MeridianShell {
  private readonly environment: Readonly<Record<string, string>>;
  private readonly started: MeridianProcess[] = [];

  /** @param environment beside that of the tests. */
  constructor(environment: Readonly<Record<string, string>>) {
    this.environment = environment;
  }

  /** One that runs until the shell is closed. */
  start(line = "", variables: Readonly<Record<string, string>> = {}): MeridianProcess {
    assert.match(line, npx);
    const environment = { ...this.environment, ...variables };
    const process = new MeridianProcess([], { environment, line: (program) => line.replace(npx, `exec ${program}`) });
    this.started.push(process);
    return process;
  }

  /** One that ends by itself, with 0. @returns its standard output. */
  async run(line: string | undefined): Promise<string> {
    const { exitCode, stdout, stderr } = await this.end(line);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  end(line: string | undefined): Promise<EndedProcess> {
    return this.start(line).end();
  }

  async close(): Promise<void> {
    await Promise.all(this.started.map((process) => process.stop()));
  }
}
