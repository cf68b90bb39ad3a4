/** `vm exec`: a short command in a guest, its output passed through and its exit code made ours. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Option } from "@commander-js/extra-typings";
import { type ExecVmRequestSchema, ExecVmResponseSchema } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure, QuietExit } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { collectLabel } from "../values/label.ts";
import { resourceName } from "../values/name.ts";
import { examples } from "../verbs.ts";

/** The bound of the local Parallels API. */
const commandMaxMs = 180_000;
/** The server ends the command; our own deadline is only there in case it does not. */
const graceMs = 10_000;

export function registerExec(noun: Program, terminal: Terminal): void {
  noun
    .command("exec")
    .argument("<vm>", "the VM's name; it must be running")
    .argument("<command...>", "the program and its arguments, behind --")
    .summary("run a short command in a VM")
    .description(
      "Runs a short command in a VM and exits with its exit code. No shell is involved: run one for pipes and such.",
    )
    .addOption(
      new Option("--env <key=value>", "an environment variable for it; may be repeated").argParser(collectLabel),
    )
    .addOption(
      new Option("--timeout <duration>", "how long it may take (default and bound: 3m)").argParser(parseDurationMs),
    )
    .addHelpText(
      "after",
      examples(
        "vm exec build-1 -- sw_vers",
        "vm exec build-1 -- sh -c 'cd /tmp && ls | wc -l'",
        "vm exec build-1 --env CI=1 -- make test",
      ),
    )
    .action((text, words, options, command) =>
      withSession(terminal, command, async (session) => {
        const timeoutMs = options.timeout ?? commandMaxMs;
        const start = {
          name: resourceName("vms", text),
          command: words,
          env: { ...options.env },
          timeout: durationFromMs(timeoutMs),
        };
        const exitCode = await run(session, { payload: { case: "start", value: start } }, timeoutMs + graceMs);
        if (exitCode !== exitCodes.done) throw new QuietExit(exitCode);
      }),
    );
}

/** Passes the output through and returns the guest's exit code. */
async function run(
  session: Session,
  start: MessageInitShape<typeof ExecVmRequestSchema>,
  deadlineMs: number,
): Promise<number> {
  const { stdout, stderr } = session.terminal;
  const answers = session.vms.execVm(once(start), { ...session.call, timeoutMs: deadlineMs });
  let exitCode: number | undefined;
  for await (const answer of answers) {
    const { payload } = answer;
    if (payload.case === "exit") exitCode = payload.value.exitCode;
    if (session.isJson) stdout.write(`${JSON.stringify(toJson(ExecVmResponseSchema, answer))}\n`);
    else if (payload.case === "stdout") stdout.write(payload.value);
    else if (payload.case === "stderr") stderr.write(payload.value);
    await stdout.drained();
    await stderr.drained();
  }
  if (exitCode !== undefined) return exitCode;
  throw new Failure("the server ended the command's stream without its exit code", {
    exitCode: exitCodes.unavailable,
    hint: "The command may have run all the same.",
  });
}

async function* once<T>(message: T): AsyncGenerator<T> {
  yield message;
}
