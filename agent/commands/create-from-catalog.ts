/**
 * Making a VM from a catalog's image. The service does it in a job under an id that we choose, so that asking twice is asking
 * once. The job is followed by its events, and by asking, since events may be lost. Three of its habits matter here: it
 * calls a job failed that said nothing for five minutes while the work goes on, it forgets every job when it restarts, and
 * its list is the only proof of what was made. A call that began it and had no answer in time may still begin it later.
 */
import type { CatalogImage, CreateAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CreateFromCatalog, ParallelsJob } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { CommandFailure, failureKindOf } from "./failure.ts";
import { isOutcomeUnknown, untilAnswered, untilReachable } from "./retry.ts";
import { SilenceWatch } from "./silence.ts";
import { findVm } from "./vm-lookup.ts";

/** After this silence the word "failed" may mean no more than "silent": the service gives up after five minutes. */
const doubtfulSilenceMs = 270_000;

/** How often a job that the service has forgotten is begun again: its restarts, not ours, count here. */
const beginningsMax = 4;

export async function pullFromCatalog(
  context: CommandContext,
  action: CreateAction,
  image: CatalogImage,
): Promise<void> {
  const request = toRequest(context, action, image);
  const beginning: Beginning = { isUncertain: false };
  let heard: ParallelsJob | undefined;
  const events = context.hostVms.followJob(request.jobId, (job) => {
    heard = job;
  });
  try {
    await follow(context, request, beginning, () => {
      const job = heard;
      heard = undefined;
      return job;
    });
  } catch (error) {
    // Nothing takes a pull back: a command that is withdrawn meanwhile, or whose VM has outlived its lease, ends only when
    // there is what it has to remove. Else the VM's place would be given away before the VM has come and gone.
    if (context.signal.aborted && !context.stopping.aborted) {
      await awaitPull({ ...context, signal: context.stopping }, beginning);
    }
    throw error;
  } finally {
    events.cancel();
  }
}

/** How the job was begun. */
interface Beginning {
  /** Nobody answered when it was: it may come to be known yet, and must not be begun a second time. */
  isUncertain: boolean;
}

/**
 * Waits until the job, if it is still known or may come to be, has ended: when the VM is there already it has its last steps to
 * do.
 */
export async function awaitPull(
  context: CommandContext,
  { isUncertain }: Beginning = { isUncertain: false },
): Promise<void> {
  const { hostVms, parallels, signal, tuning } = context;
  const silence = new SilenceWatch(context, "host");
  for (let lastSeen = ""; ; ) {
    const since = hostVms.changeCount;
    const job = await untilAnswered(context, () => parallels.readJob(jobIdOf(context), signal));
    if (job === undefined) {
      if (!isUncertain || lastSeen !== "" || (await findVm(context)) !== undefined) return;
    } else {
      if (job.state !== "running") return;
      if (describe(job) !== lastSeen) silence.touch();
      lastSeen = describe(job);
    }
    silence.check("The making of the VM");
    await hostVms.waitForChange(since, tuning.jobPeriodMs, signal);
  }
}

/** @param takeHeard what an event has said since the last call, if any. */
async function follow(
  context: CommandContext,
  request: CreateFromCatalog,
  beginning: Beginning,
  takeHeard: () => ParallelsJob | undefined,
): Promise<void> {
  const { hostVms, parallels, signal, stopping, tuning } = context;
  const silence = new SilenceWatch(context, "network");
  const begin = async (): Promise<void> => {
    try {
      await untilReachable(context, () => parallels.beginCreate(request, stopping));
    } catch (error) {
      stopping.throwIfAborted();
      if (!isOutcomeUnknown(error)) throw error;
      beginning.isUncertain = true;
    }
  };
  let lastSeen = "";
  // Asked before begun: an agent that was restarted finds the job that its last run began. The service itself does not
  // refuse a job id that it knows: it would pull a second time.
  for (let beginnings = 0; ; ) {
    const since = hostVms.changeCount;
    const job = takeHeard() ?? (await untilAnswered(context, () => parallels.readJob(request.jobId, signal)));
    if (job?.state === "succeeded") return;
    if (job === undefined || job.state === "failed") {
      if ((await findVm(context)) !== undefined) return;
    }
    if (job !== undefined) beginning.isUncertain = false;
    if (job === undefined && !beginning.isUncertain) {
      if (++beginnings > beginningsMax) throw forgotten();
      await begin();
    } else if (job?.state === "failed" && silence.silentMs < doubtfulSilenceMs) {
      throw jobFailed(job);
    } else if (job !== undefined && hasMoved(job, lastSeen)) {
      lastSeen = describe(job);
      silence.touch();
      reportProgress(context, job);
    }
    silence.check("The making of the VM");
    await hostVms.waitForChange(since, tuning.jobPeriodMs, signal);
  }
}

function hasMoved(job: ParallelsJob, lastSeen: string): boolean {
  return job.state === "running" && describe(job) !== lastSeen;
}

/** What counts as progress. The estimate of what is left does not: it grows while nothing moves. */
function describe(job: ParallelsJob): string {
  return JSON.stringify([job.step, job.percent, job.message]);
}

function reportProgress(context: CommandContext, job: ParallelsJob): void {
  context.progress({
    step: job.step === "" ? "create" : job.step,
    percent: job.percent,
    etaMs: job.etaMs,
    message: job.message,
  });
}

function toRequest(context: CommandContext, action: CreateAction, image: CatalogImage): CreateFromCatalog {
  return {
    jobId: jobIdOf(context),
    name: context.command.hostVmName,
    architecture: action.architecture,
    catalogId: image.catalogId,
    version: image.version,
    url: image.url,
    ...(image.username === "" ? {} : { username: image.username }),
    ...(image.password === "" ? {} : { password: image.password }),
    ...(image.apiKey === "" ? {} : { apiKey: image.apiKey }),
  };
}

/** It travels in a header and in a path. */
function jobIdOf(context: CommandContext): string {
  return `meridian-${encodeURIComponent(context.command.id)}`;
}

function jobFailed(job: ParallelsJob): CommandFailure {
  const isDiskFull = /no space|not enough (?:disk )?space|disk (?:is )?full/i.test(job.error);
  const kind = failureKindOf(isDiskFull ? "disk-full" : "catalog");
  return new CommandFailure(
    kind,
    `The image could not be made into a VM: ${job.error === "" ? "no reason given" : job.error}`,
  );
}

function forgotten(): CommandFailure {
  return new CommandFailure(
    { reason: "ParallelsRestarts", suspect: "host", isRetryable: true },
    `The Parallels DevOps service forgot the job ${beginningsMax} times; it seems to restart again and again.`,
  );
}
