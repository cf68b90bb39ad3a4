/** Waiting for VMs: the server says when a wait is over; a connection that breaks meanwhile is made again. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { required } from "../../shared/assert.ts";
import { sleep } from "../../shared/clock.ts";
import { type Vm, VmSchema, type VmStatus_State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure, QuietExit } from "../failure.ts";
import { inParallel } from "../parallel.ts";
import { describeFailure, isConnectionLost } from "../server-failure.ts";
import type { Session } from "../session.ts";
import { shortName } from "../values/name.ts";
import { followVm, openProgressLine, type ProgressLine, progressText, silentProgressLine } from "./progress.ts";

export const waitDefaultMs = 10 * 60_000;

/** How long a broken connection is left alone before it is tried again. */
const retryMs = 1000;
/** The server ends the wait; our own deadline is only there in case it does not. */
const graceMs = 10_000;
/** A wait that went on for so long began with a good token. */
const settledMs = 5000;
/** Waits that hang on one connection at once. */
const waitsMax = 100;

export interface WaitOptions {
  readonly states: readonly VmStatus_State[];
  readonly timeoutMs: number;
  /** Without progress on standard error. */
  readonly isQuiet: boolean;
  /** Called for each VM that got there, at once. */
  readonly onDone: (vm: Vm) => void;
}

export interface WaitOutcome {
  /** The VM as it was at the end of the wait. */
  readonly vm: Vm;
  /** Why the wait failed, if it did. */
  readonly failure?: Error;
}

export async function waitForVms(
  session: Session,
  names: readonly string[],
  options: WaitOptions,
): Promise<readonly WaitOutcome[]> {
  const line = options.isQuiet ? silentProgressLine : openProgressLine(session.terminal);
  const over = new AbortController();
  const following = follow(session, names, line, over.signal);
  let doneCount = 0;
  const outcomes = await inParallel(names, waitsMax, async (name) => {
    const vm = await waitForVm(session, name, options);
    doneCount += 1;
    line.clear();
    options.onDone(vm);
    if (names.length > 1 && doneCount < names.length) showCount(session, line, `${doneCount} of ${names.length} done`);
    return vm;
  });
  over.abort();
  await following;
  line.clear();
  return Promise.all(
    names.map(async (name, index) => {
      const outcome = required(outcomes[index], "outcome of a wait");
      return outcome.status === "fulfilled" ? { vm: outcome.value } : failedWait(session, name, outcome.reason);
    }),
  );
}

/** The failures among the outcomes. */
export function failureOf(outcomes: readonly WaitOutcome[]): readonly Error[] {
  return outcomes.flatMap(({ failure }) => failure ?? []);
}

async function follow(
  session: Session,
  names: readonly string[],
  line: ProgressLine,
  over: AbortSignal,
): Promise<void> {
  const [name] = names;
  if (name === undefined) return;
  if (names.length > 1) {
    showCount(session, line, `0 of ${names.length} done`);
    return;
  }
  const { isTerminal } = session.terminal.stderr;
  const show = (vm: Vm): void => {
    if (!over.aborted) line.show(progressText(vm, isTerminal));
  };
  await followVm(session, name, show, AbortSignal.any([over, session.terminal.interrupted]));
}

/** A count that changes is of use on a terminal only; elsewhere the finished VMs' own lines say as much. */
function showCount(session: Session, line: ProgressLine, text: string): void {
  if (session.terminal.stderr.isTerminal) line.show(text);
}

async function waitForVm(session: Session, name: string, { states, timeoutMs }: WaitOptions): Promise<Vm> {
  const { clock, interrupted } = session.terminal;
  const endMs = clock.monotonicMs() + timeoutMs;
  let isTokenNew = false;
  for (;;) {
    const beganMs = clock.monotonicMs();
    const leftMs = Math.max(1, Math.round(endMs - beganMs));
    try {
      const answer = await session.vms.waitVm(
        { name, states: [...states], timeout: durationFromMs(leftMs) },
        { signal: interrupted, timeoutMs: leftMs + graceMs },
      );
      return answer.vm ?? create(VmSchema, { name });
    } catch (error) {
      // A server that restarts comes back in a moment, and the VM does not notice.
      const isRefused = error instanceof ConnectError && error.code === Code.Unauthenticated;
      // A token that ended during the wait is replaced, if there is another one to be had; one that never was any good is not.
      if (clock.monotonicMs() - beganMs >= settledMs) isTokenNew = false;
      const canRenew: boolean = isRefused && session.connection.tokenSource !== undefined && !isTokenNew;
      isTokenNew ||= canRenew;
      const isWorthRepeating = (isConnectionLost(error) || canRenew) && leftMs > retryMs;
      if (!isWorthRepeating || interrupted.aborted) throw error;
      await sleep(clock, retryMs, interrupted);
    }
  }
}

async function failedWait(session: Session, name: string, reason: unknown): Promise<WaitOutcome> {
  const failure = explainFailedWait(describeFailure(reason, session.connection, session.terminal.interrupted), name);
  const last = await session.vms.getVm({ name }).catch(() => undefined);
  return { vm: last?.vm ?? create(VmSchema, { name }), failure };
}

function explainFailedWait(failure: Error, name: string): Error {
  const id = shortName(name);
  if (failure instanceof QuietExit) {
    return new Failure(`no longer waiting; ${name} goes on without you`, {
      exitCode: exitCodes.interrupted,
      hint: `\`meridian vm wait ${id}\` waits on, \`meridian vm delete ${id}\` removes it.`,
    });
  }
  if (!(failure instanceof Failure) || failure.options.hint !== undefined) return failure;
  const hint =
    failure.options.exitCode === exitCodes.timedOut
      ? `It goes on without you: \`meridian vm wait ${id}\` waits on, \`meridian vm explain ${id}\` says what holds it up.`
      : `\`meridian vm get ${id}\` shows what happened when.`;
  return new Failure(failure.message, { ...failure.options, hint });
}
