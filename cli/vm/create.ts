/**
 * `vm create`: one VM or many alike, and with --wait until they are ready. Standard output gets one line for each VM, so that
 * `$(…)` catches what is asked for: its name, or with --wait what became of it. With --wait the name goes to standard error at
 * once, for a person who may not want to wait to the end; with -q it is the name, at once, in either case.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { type Vm, VmSchema, VmSpec_Wanted, VmStatus_State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import {
  BatchCreateVmsRequest_Fit,
  type CreateVmRequestSchema,
} from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { inParallel } from "../parallel.ts";
import type { Program } from "../program-type.ts";
import { printJson, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { shortName } from "../values/name.ts";
import { wholeNumber } from "../values/number.ts";
import { examples, requireFlag, throwAll } from "../verbs.ts";
import { addSpecFlags, specFrom } from "./spec-flags.ts";
import { vmLine } from "./views.ts";
import { failureOf, waitDefaultMs, waitForVms } from "./wait.ts";

/** More at once than this are better asked for by a program. */
const countMax = 1000;
/** Creates under way at once: enough to fill the server's batches. */
const createsMax = 32;

const fits = {
  all: BatchCreateVmsRequest_Fit.ALL,
  any: BatchCreateVmsRequest_Fit.ANY,
  wait: BatchCreateVmsRequest_Fit.WAIT,
} as const;
type FitWord = keyof typeof fits;
const wordsOfFit = ["all", "any", "wait"] as const satisfies readonly FitWord[];

export function registerCreate(noun: Program, terminal: Terminal): void {
  const idText = "the name's last part (default: the server makes one)";
  addSpecFlags(noun.command("create").option("--id <id>", idText))
    .summary("ask for a VM")
    .description("Asks for a VM and prints its name or, with --wait, its state and address once it is ready.")
    .addOption(
      new Option("--count <number>", "ask for several alike; ids get -1, -2, …").argParser(wholeNumber(1, countMax)),
    )
    .addOption(
      new Option("--fit <how>", "ask in one call: all or none at once, as many (any) as fit, or wait").choices(
        wordsOfFit,
      ),
    )
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .option("--wait", "until it is ready")
    .addOption(
      new Option("--timeout <duration>", "how long to wait with --wait (default: 10m)").argParser(parseDurationMs),
    )
    .option("-q, --quiet", "only names, no progress")
    .addHelpText(
      "after",
      examples(
        "vm create --template macos-15 --wait",
        "vm create --template macos-15 --id build-1 --cpu 4 --memory 8GiB --ready tcp:22 --wait --timeout 15m",
        "vm create --template macos-15 --lease 1h --max-lifetime 4h",
        "vm create --template macos-15 --count 12 --fit all",
        "vm create --template linux --require 'disk=ssd' --require 'cores>8' --strategy spread --count 5",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        requireFlag(options.template, "--template", "meridian vm create --template macos-15");
        const spec = specFrom(options);
        const ids = numbered(options.id, options.count);
        const shape = { isJson: session.isJson, isMany: options.count !== undefined };
        const isLineLater = options.wait === true && options.quiet !== true;
        const warned = new Set<string>();
        const onMade = ({ name, status }: Vm): void => {
          const { stdout, stderr } = session.terminal;
          const taint = status?.conditions.find(({ type }) => type === "TemplateTrusted")?.message;
          // Of many VMs they all say the same.
          if (taint !== undefined && !warned.has(taint)) stderr.write(`warning: ${taint}\n`);
          if (taint !== undefined) warned.add(taint);
          if (session.isJson) return;
          (isLineLater ? stderr : stdout).write(`${name}\n`);
        };
        const { fit, requestId = "", count } = options;
        const requestIds = numbered(options.requestId, count);
        const { vms, failures } =
          fit === undefined
            ? await createVms(
                session,
                ids.map((vmId, index) => ({ vm: { spec }, vmId, requestId: requestIds[index] ?? "" })),
                onMade,
              )
            : await createBatch(
                session,
                { requests: ids.map((vmId) => ({ vm: { spec }, vmId })), fit, requestId },
                onMade,
              );
        if (options.wait === true && vms.length > 0) {
          const outcomes = await waitForVms(
            session,
            vms.map(({ name }) => name),
            {
              states: [stateWanted(spec.wanted ?? VmSpec_Wanted.UNSPECIFIED)],
              timeoutMs: options.timeout ?? waitDefaultMs,
              isQuiet: options.quiet === true,
              onDone: (vm) => {
                if (!session.isJson && isLineLater) session.terminal.stdout.write(`${vmLine(vm)}\n`);
              },
            },
          );
          printMade(
            session,
            outcomes.map(({ vm }) => vm),
            shape,
          );
          throwAll(session, [...failures, ...failureOf(outcomes)]);
        } else {
          printMade(session, vms, shape);
          throwAll(session, failures);
        }
      }),
    );
}

/** The state in which a VM is what it was wanted to be. */
export function stateWanted(wanted: VmSpec_Wanted): VmStatus_State {
  switch (wanted) {
    case VmSpec_Wanted.STOPPED:
      return VmStatus_State.STOPPED;
    case VmSpec_Wanted.SUSPENDED:
      return VmStatus_State.SUSPENDED;
    case VmSpec_Wanted.PAUSED:
      return VmStatus_State.PAUSED;
    default:
      return VmStatus_State.RUNNING;
  }
}

type CreateRequest = MessageInitShape<typeof CreateVmRequestSchema>;

async function createVms(
  session: Session,
  requests: readonly CreateRequest[],
  onMade: (vm: Vm) => void,
): Promise<{ readonly vms: readonly Vm[]; readonly failures: readonly unknown[] }> {
  const outcomes = await inParallel(requests, createsMax, async (request) => {
    const { vm } = await session.vms.createVm(request, session.call);
    const made = required(vm, "VM in the answer");
    onMade(made);
    return made;
  });
  return {
    vms: outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : [])),
    failures: outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : [])),
  };
}

/** All in one call; what did not fit is a failure only if nothing did. */
async function createBatch(
  session: Session,
  {
    requests,
    fit,
    requestId,
  }: { readonly requests: CreateRequest[]; readonly fit: FitWord; readonly requestId: string },
  onMade: (vm: Vm) => void,
): Promise<{ readonly vms: readonly Vm[]; readonly failures: readonly unknown[] }> {
  const answer = await session.vms.batchCreateVms({ requests, fit: fits[fit], requestId }, session.call);
  const { vms, refusedCount, refusal } = answer;
  for (const vm of vms) onMade(vm);
  const text = `${refusedCount} of ${requests.length} do not fit now${refusal === "" ? "" : `: ${refusal}`}`;
  if (vms.length === 0) return { vms, failures: [new Failure(text, { exitCode: exitCodes.failed })] };
  if (refusedCount > 0) session.terminal.stderr.write(`${text}\n`);
  return { vms, failures: [] };
}

/** `build` three times: build-1, build-2, build-3; without a count the text as it is. */
function numbered(text: string | undefined, count: number | undefined): readonly string[] {
  if (count === undefined) return [text ?? ""];
  const stem = text === undefined ? undefined : shortName(text);
  return Array.from({ length: count }, (_, index) => (stem === undefined ? "" : `${stem}-${index + 1}`));
}

/** As JSON only: people have read the names already. */
function printMade(
  session: Session,
  vms: readonly Vm[],
  { isJson, isMany }: { readonly isJson: boolean; readonly isMany: boolean },
): void {
  if (!isJson) return;
  const [first] = vms;
  if (isMany) printJson(session, { vms: vms.map((vm) => toJson(VmSchema, vm)) });
  else if (first !== undefined) printJson(session, toJson(VmSchema, first));
}
