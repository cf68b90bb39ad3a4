/**
 * The service's jobs, in memory: a restart forgets them. A job that says nothing for a while is marked failed although its
 * work goes on; what the work says later changes nothing any more, so whoever believes the job is wrong, and a list of
 * the VMs is right.
 */
import type { Cancellable, Clock } from "../shared/clock.ts";
import { Job } from "./job.ts";
import type { MacEvents } from "./mac-events.ts";
import type { Random } from "./random.ts";

/** Ended jobs beyond this many are dropped, the oldest first; the real service keeps them until someone cleans up. */
const jobCountMax = 1_000;

export interface JobsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: MacEvents;
  /** How long a job may be silent, in ms. */
  readonly silenceMs: number;
}

export class Jobs {
  readonly #options: JobsOptions;
  readonly #byId = new Map<string, Job>();
  readonly #silence = new Map<Job, Cancellable>();

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  all(): readonly Job[] {
    return [...this.#byId.values()];
  }

  find(id: string): Job | undefined {
    return this.#byId.get(id);
  }

  /** A new job under the id that the caller chose, or one of its own. */
  create(id?: string): Job {
    const job = new Job(id ?? this.#options.random.uuid(), this.#options.clock.wallMs());
    this.#dropOldest();
    this.#byId.set(job.id, job);
    this.#options.events.emit({ type: "job-created", job });
    this.#watch(job);
    return job;
  }

  /** Changes a job and tells; an ended job stays as it is. */
  update(job: Job, change: (job: Job) => void): void {
    if (job.isEnded) return;
    change(job);
    job.updatedAtMs = this.#options.clock.wallMs();
    this.#watch(job);
    if (this.#byId.get(job.id) !== job) return;
    this.#options.events.emit({ type: job.isEnded ? "job-completed" : "job-updated", job });
  }

  remove(job: Job): void {
    this.#byId.delete(job.id);
    this.#unwatch(job);
    this.#options.events.emit({ type: "job-deleted", job });
  }

  /** As when the service was killed before it had saved them. */
  forgetAll(): void {
    for (const timer of this.#silence.values()) timer.cancel();
    this.#silence.clear();
    this.#byId.clear();
  }

  /** As when the service starts anew and finds jobs that were under way. */
  failRunning(): void {
    for (const job of this.#byId.values()) {
      this.update(job, () => {
        job.state = "failed";
        job.error = "Service crashed or was restarted";
      });
    }
  }

  #watch(job: Job): void {
    this.#unwatch(job);
    if (job.isEnded) return;
    const giveUp = (): void => {
      this.update(job, () => {
        job.state = "failed";
        job.error = "job timed out: no progress for too long";
      });
    };
    this.#silence.set(job, this.#options.clock.after(this.#options.silenceMs, giveUp));
  }

  #unwatch(job: Job): void {
    this.#silence.get(job)?.cancel();
    this.#silence.delete(job);
  }

  #dropOldest(): void {
    if (this.#byId.size < jobCountMax) return;
    for (const job of this.#byId.values()) {
      if (!job.isEnded) continue;
      this.#byId.delete(job.id);
      return;
    }
  }
}
