/**
 * Waiting until a VM that was powered on proves that it is of use. A probe that never answers says more about the template
 * than about the Mac.
 */

import { assertNever } from "../../shared/assert.ts";
import { sleep } from "../../shared/clock.ts";
import type { Readiness } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { startDeadline } from "../deadline.ts";
import type { ParallelsVm } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { getVm } from "./vm-lookup.ts";

/** When the server does not say: a first boot of a large guest takes minutes. */
const defaultTimeoutMs = 300_000;
const defaultPeriodMs = 1_000;
/** More often would only load the Mac. */
const periodMinMs = 50;
/** One attempt that hangs must not use up the whole time. */
const attemptLimitMs = 15_000;

type Probe = NonNullable<Readiness["probe"]>;

/** The VM, once it has passed its probe, with its addresses; fails with NotReady when the time is up. */
export async function waitUntilReady(
  context: CommandContext,
  vm: ParallelsVm,
  readiness: Readiness | undefined,
): Promise<ParallelsVm> {
  if (readiness?.probe === undefined) return vm;
  const timeoutMs = readiness.timeoutMs > 0 ? readiness.timeoutMs : defaultTimeoutMs;
  const periodMs = Math.max(periodMinMs, readiness.periodMs > 0 ? readiness.periodMs : defaultPeriodMs);
  const endMs = context.clock.monotonicMs() + timeoutMs;
  context.progress({ step: "readiness" });
  for (;;) {
    const leftMs = endMs - context.clock.monotonicMs();
    if (leftMs <= 0) throw notReady(timeoutMs);
    const seen = context.hostVms.find(vm.id);
    if (seen?.state === "stopped") throw stoppedBeforeReady();
    if (await passes(context, seen ?? vm, readiness.probe, Math.min(attemptLimitMs, leftMs))) break;
    await sleep(context.clock, Math.min(periodMs, Math.max(1, endMs - context.clock.monotonicMs())), context.signal);
  }
  return waitForAddress(context);
}

/** Whether one attempt succeeds. Every way not to is the same: not yet. */
async function passes(context: CommandContext, vm: ParallelsVm, probe: Probe, limitMs: number): Promise<boolean> {
  const deadline = startDeadline(context.clock, limitMs, context.signal);
  try {
    return await attempt(context, vm, probe, { limitMs, signal: deadline.signal });
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.debug({ err: error, command_id: context.command.id }, "readiness probe failed");
    return false;
  } finally {
    deadline.release();
  }
}

interface AttemptBounds {
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

async function attempt(
  context: CommandContext,
  vm: ParallelsVm,
  probe: Probe,
  bounds: AttemptBounds,
): Promise<boolean> {
  switch (probe.$case) {
    case "guestTools":
      return runsInGuest(context, vm, isWindows(vm) ? ["cmd", "/c", "exit 0"] : ["true"], bounds);
    case "exec":
      return runsInGuest(context, vm, isWindows(vm) ? ["cmd", "/c", probe.exec] : ["sh", "-c", probe.exec], bounds);
    case "tcpPort": {
      const host = (await getVm(context)).ipAddresses[0];
      if (host === undefined) return false;
      await context.probeTcp({ host, port: probe.tcpPort, ...bounds });
      return true;
    }
    default:
      return assertNever(probe, "readiness probe");
  }
}

async function runsInGuest(
  context: CommandContext,
  vm: ParallelsVm,
  command: readonly string[],
  bounds: AttemptBounds,
): Promise<boolean> {
  const { limitMs, signal } = bounds;
  const result = await context.parallels.execute(vm.id, { command, timeoutMs: Math.ceil(limitMs), signal });
  return result.exitCode === 0;
}

function isWindows(vm: ParallelsVm): boolean {
  return vm.os.toLowerCase().startsWith("win");
}

/** A guest may be ready before the list shows its address; one without a network never shows any, and is ready all the same. */
async function waitForAddress(context: CommandContext): Promise<ParallelsVm> {
  const giveUpAtMs = context.clock.monotonicMs() + context.tuning.addressLimitMs;
  for (;;) {
    const since = context.hostVms.changeCount;
    const vm = await getVm(context);
    const leftMs = giveUpAtMs - context.clock.monotonicMs();
    if (vm.ipAddresses.length > 0 || leftMs <= 0) return vm;
    await context.hostVms.waitForChange(since, Math.min(context.tuning.lookPeriodMs, leftMs), context.signal);
  }
}

function notReady(timeoutMs: number): CommandFailure {
  return new CommandFailure(
    { reason: "NotReady", suspect: "template", isRetryable: true },
    `The VM runs, but its readiness probe did not succeed within ${Math.round(timeoutMs / 1000)} s.`,
  );
}

function stoppedBeforeReady(): CommandFailure {
  return new CommandFailure(
    { reason: "StoppedBeforeReady", suspect: "template", isRetryable: true },
    "The VM was started and stopped again before its readiness probe succeeded.",
  );
}
