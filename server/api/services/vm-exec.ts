/** ExecVm: a short command in a running VM. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { sleep } from "../../../shared/clock.ts";
import { fieldInvalid, MeridianError, notFound } from "../../../shared/errors.ts";
import type {
  ExecStart,
  ExecVmRequest,
  ExecVmResponseSchema,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { HostId, VmId } from "../../../shared/ids.ts";
import type { VmRecord } from "../../pool/vm.ts";
import type { ApiContext } from "../context.ts";
import { readDuration } from "../convert/time.ts";
import { FieldChecks } from "../field-checks.ts";
import {
  execArgumentsMax,
  execCommandLengthMax,
  execEnvironmentMax,
  execOutputPieceBytes,
  execStartTimeoutMs,
  execTimeoutMs,
} from "../limits.ts";
import { checkName, nameOf } from "../resource-name.ts";
import type { CallContext } from "../rpc/handlers.ts";

type Output = MessageInitShape<typeof ExecVmResponseSchema>;

export async function* execVm(
  context: ApiContext,
  requests: AsyncIterable<ExecVmRequest>,
  call: CallContext,
): AsyncGenerator<Output, undefined> {
  const start = readStart(await firstRequest(context, requests, call));
  const { host, hostVmId } = await context.engine.read((view) => placeOf(view.vms.get(start.id), start.id));
  const { command, env } = start;
  const timeoutMs = Math.min(start.timeoutMs, call.timeoutMs() ?? start.timeoutMs);
  const options = { timeoutMs, signal: call.signal };
  const { exec } = await context.hostCalls.call(host, { kind: "exec", hostVmId, command, env }, options);
  if (exec === undefined) throw new Error("a host answered a command without its exit code");
  for (const value of pieces(exec.stdout)) yield { payload: { case: "stdout", value } };
  for (const value of pieces(exec.stderr)) yield { payload: { case: "stderr", value } };
  yield { payload: { case: "exit", value: { exitCode: exec.exitCode } } };
}

/** The message that starts the command; who opens the stream and says nothing is not waited for. */
async function firstRequest(
  context: ApiContext,
  requests: AsyncIterable<ExecVmRequest>,
  call: CallContext,
): Promise<ExecStart> {
  const stop = new AbortController();
  const silence = sleep(context.clock, execStartTimeoutMs, AbortSignal.any([stop.signal, call.signal]));
  const first = requests[Symbol.asyncIterator]().next();
  try {
    const result = await Promise.race([first, silence]);
    const payload = result?.done === false ? result.value.payload : undefined;
    if (payload?.case !== "start") throw fieldInvalid("start", "must be sent first, and at once");
    return payload.value;
  } finally {
    stop.abort();
    silence.catch(() => undefined);
    first.catch(() => undefined);
  }
}

interface Start {
  readonly id: VmId;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

function readStart(start: ExecStart): Start {
  const checks = new FieldChecks();
  const id = checkName(checks, "vms", { path: "start.name", value: start.name });
  const timeoutField = { path: "start.timeout", value: start.timeout };
  const timeoutMs = readDuration(checks, timeoutField, execTimeoutMs) ?? execTimeoutMs.default;
  checkCommand(checks, start);
  checks.finish();
  return { id, command: start.command, env: start.env, timeoutMs };
}

function checkCommand(checks: FieldChecks, { command, env }: ExecStart): void {
  if (command.length === 0 || command[0] === "") checks.refuse("start.command", "must name a program");
  checks.count("start.command", command.length, execArgumentsMax);
  const variables = Object.entries(env);
  checks.count("start.env", variables.length, execEnvironmentMax);
  for (const [key] of variables.slice(0, execEnvironmentMax)) {
    checks.pattern("start.env", key, /^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'names of letters, digits and "_"');
  }
  const texts = [...command, ...variables.flat()];
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length > execCommandLengthMax) {
    checks.refuse("start.command", `must, with the environment, have at most ${execCommandLengthMax} characters`);
  }
  if (texts.some((text) => text.includes("\0"))) checks.refuse("start.command", "must not contain NUL characters");
}

function placeOf(vm: VmRecord | undefined, id: VmId): { readonly host: HostId; readonly hostVmId: string } {
  const name = nameOf("vms", id);
  if (vm === undefined) throw notFound(name);
  if (vm.state !== "RUNNING" || vm.host === undefined || vm.sight === undefined) {
    throw new MeridianError("STATE_NOT_ALLOWED", `${name} is ${vm.state}; a command needs it to be RUNNING`, {
      resource: name,
      metadata: { vm: name, state: vm.state, allowed: "RUNNING" },
    });
  }
  return { host: vm.host, hostVmId: vm.sight.id };
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += execOutputPieceBytes) {
    yield bytes.subarray(start, start + execOutputPieceBytes);
  }
}
