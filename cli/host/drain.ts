/** `host drain --wait`: drains hosts, and shows how many VMs are left on them until they are empty. */
import { required } from "../../shared/assert.ts";
import { sleep } from "../../shared/clock.ts";
import { type Host, HostSchema } from "../../shared/gen/es/meridian/v1/host_pb.ts";
import { WatchEventType } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { inParallel } from "../parallel.ts";
import { isConnectionLost } from "../server-failure.ts";
import { printResource, type Session } from "../session.ts";
import { resourceName, shortName } from "../values/name.ts";
import { throwAll } from "../verbs.ts";
import { openProgressLine, type ProgressLine } from "../vm/progress.ts";
import { drainProgress, hostState } from "./views.ts";

export interface DrainOptions {
  /** Begins the drain of one host. */
  readonly drain: (name: string) => Promise<{ readonly host?: Host | undefined }>;
  /** Undefined: without a bound. */
  readonly timeoutMs: number | undefined;
}

/** How many hosts are watched at once, on one connection. */
const watchesMax = 100;
/** How long a broken connection is left alone before it is tried again. */
const retryMs = 1000;

export async function drainAndWait(session: Session, texts: readonly string[], options: DrainOptions): Promise<void> {
  const line = openProgressLine(session.terminal);
  const outcomes = await inParallel(texts, watchesMax, async (text) => {
    const name = resourceName("hosts", text);
    const begun = required((await options.drain(name)).host, "host in the answer");
    const host = isOver(begun) ? begun : await untilEmpty(session, name, { line, timeoutMs: options.timeoutMs });
    line.clear();
    printResource(
      session,
      { schema: HostSchema, message: host },
      () => `${host.name} ${hostState(host)}, ${end(host)}\n`,
    );
  });
  line.clear();
  throwAll(
    session,
    outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : [])),
  );
}

async function untilEmpty(
  session: Session,
  name: string,
  { line, timeoutMs }: { readonly line: ProgressLine; readonly timeoutMs: number | undefined },
): Promise<Host> {
  const { clock, interrupted } = session.terminal;
  const over = new AbortController();
  const timer = timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => over.abort());
  const signal = AbortSignal.any([over.signal, interrupted]);
  try {
    for (;;) {
      try {
        return await watchUntilEmpty(session, name, { line, signal });
      } catch (error) {
        if (over.signal.aborted && !interrupted.aborted) throw timedOut(name);
        // A server that restarts comes back in a moment, and the drain does not notice.
        if (signal.aborted || !isConnectionLost(error)) throw error;
        await sleep(clock, retryMs, signal);
      }
    }
  } finally {
    timer?.cancel();
  }
}

async function watchUntilEmpty(
  session: Session,
  name: string,
  { line, signal }: { readonly line: ProgressLine; readonly signal: AbortSignal },
): Promise<Host> {
  for await (const event of session.hosts.watchHosts({ filter: `name = "${name}"` }, { signal, timeoutMs: 0 })) {
    const { host } = event;
    if (host?.name !== name) continue;
    if (event.type === WatchEventType.DELETED) {
      throw new Failure(`${name} was removed from the pool while it was being drained`, { exitCode: exitCodes.failed });
    }
    if (isOver(host)) return host;
    const nowMs = session.terminal.clock.wallMs();
    const progress = host.status === undefined ? "" : drainProgress(host.status, nowMs);
    line.show(`${name} ${hostState(host)}: ${progress}`);
  }
  throw new Failure(`the watch of ${name} ended`, { exitCode: exitCodes.unavailable });
}

/** It is empty, or is not being drained any more: opened again because it was empty, or because the drain was called off. */
function isOver({ spec, status }: Host): boolean {
  return spec?.drain === undefined || status?.drain?.vmsRemaining === 0;
}

function end({ spec, status }: Host): string {
  if (spec?.drain !== undefined) return "drained";
  return status?.vmCount === 0 ? "drained, and takes VMs again" : "no longer being drained";
}

function timedOut(name: string): Failure {
  return new Failure(`${name} is not empty yet`, {
    exitCode: exitCodes.timedOut,
    hint: `The drain goes on: \`meridian host get ${shortName(name)}\` shows how far it is.`,
  });
}
