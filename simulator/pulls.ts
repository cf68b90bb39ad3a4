/**
 * Makes VMs of catalog manifests: asks the catalog, takes the image from the cache or downloads it, unpacks it and
 * registers the VM, telling its progress through a job. Two pulls of one manifest at once both download it. What fails in
 * the middle is not undone by the real service either, but leaves no VM; what fails after the registration leaves one.
 */
import { sleep } from "../shared/clock.ts";
import { type CatalogManifest, findManifest, parseConnectionHost } from "./catalog.ts";
import { imageSizeMib } from "./image-cache.ts";
import type { Job, JobStep, PullStepName } from "./job.ts";
import { freeDiskMib, type MacContext, requireDisk } from "./mac-context.ts";
import type { Power } from "./power.ts";
import { ServiceError, serviceFailed } from "./service-error.ts";
import type { Vm } from "./vm.ts";

export interface PullRequest {
  readonly name: string;
  readonly catalogId: string;
  readonly version: string;
  /** Says where the catalog is and who asks. */
  readonly connection: string;
  readonly startOnCreate: boolean;
  /** Set after the pull; undefined as the manifest has it. */
  readonly cpuCount?: number;
  readonly memoryMib?: number;
}

/** How often a download tells how far it is. */
const reportCount = 10;
/** A quiet pull works on for this much longer than the service has patience. */
const quietFactor = 1.2;

export class Pulls {
  readonly #context: MacContext;
  readonly #power: Power;
  readonly #silenceMs: number;

  /** @param silenceMs how long the service waits for news of a job. */
  constructor(context: MacContext, power: Power, silenceMs: number) {
    this.#context = context;
    this.#power = power;
    this.#silenceMs = silenceMs;
  }

  /** Begins a job and answers at once; the job tells the rest. An id that is known is the job that it was. */
  begin(request: PullRequest, jobId?: string): Job {
    const known = jobId === undefined ? undefined : this.#context.jobs.find(jobId);
    if (known !== undefined) return known;
    const job = this.#context.jobs.create(jobId);
    // The job owns the work: whatever comes of it is written there.
    void this.#follow(job, request);
    return job;
  }

  /**
   * Makes the VM and resolves when it is there, started if asked.
   * @throws ServiceError
   */
  async run(request: PullRequest, job?: Job): Promise<Vm> {
    const { condition } = this.#context;
    const serviceStart = condition.serviceStarts;
    const vm = await this.#pull(request, job).catch((error: unknown) => {
      if (!(error instanceof ServiceError)) throw error;
      const kind = error.kind === "other" ? "catalog" : error.kind;
      throw serviceFailed(400, `Error pulling manifest: \n\n${error.message} `, kind);
    });
    if (condition.serviceStarts !== serviceStart) throw serviceFailed(400, "the service was restarted");
    await this.#finish(vm, request);
    return vm;
  }

  async #follow(job: Job, request: PullRequest): Promise<void> {
    const { jobs } = this.#context;
    try {
      const vm = await this.run(request, job);
      jobs.update(job, () => {
        job.state = "completed";
        job.message = `Virtual machine ${vm.id} created`;
        job.vmId = vm.id;
        job.vmName = vm.name;
      });
    } catch (error) {
      jobs.update(job, () => {
        job.state = "failed";
        job.error = error instanceof Error ? error.message : "failed";
        for (const step of job.steps) if (step.state === "running") step.state = "failed";
      });
    }
  }

  async #pull(request: PullRequest, job: Job | undefined): Promise<Vm> {
    const { faults, facts, condition } = this.#context;
    const serviceStart = condition.serviceStarts;
    const stopIfRestarted = (): void => {
      if (condition.serviceStarts !== serviceStart) throw new ServiceError(400, "error: the service was restarted");
    };

    this.#enter(job, "validate");
    parseConnectionHost(request.connection);
    await faults.pass("catalog");
    stopIfRestarted();
    const manifest = findManifest(facts.catalog, { ...request, architecture: facts.architecture });
    this.#requireFreeName(request.name);
    this.#requireRoom(manifest);
    if (faults.quietPulls > 0) {
      faults.quietPulls -= 1;
      await sleep(this.#context.clock, this.#silenceMs * quietFactor);
      stopIfRestarted();
    }

    await this.#download(manifest, this.#enter(job, "download"), job);
    stopIfRestarted();
    this.#enter(job, "unpack");
    await faults.pass("unpack");
    stopIfRestarted();
    this.#enter(job, "register");
    await faults.pass("addToParallels");
    stopIfRestarted();
    return this.#register(request.name, manifest);
  }

  async #download(manifest: CatalogManifest, step: JobStep | undefined, job: Job | undefined): Promise<void> {
    const { cache, clock, faults } = this.#context;
    const cached = cache.find(manifest);
    if (cached !== undefined) {
      cached.lastUsedAtMs = clock.wallMs();
      cached.useCount += 1;
      return;
    }
    const totalMs = faults.draw("download");
    for (let report = 1; report <= reportCount; report += 1) {
      if (totalMs > 0) await sleep(clock, totalMs / reportCount);
      if (step === undefined || job === undefined) continue;
      this.#context.jobs.update(job, () => {
        step.percent = (100 * report) / reportCount;
        step.totalBytes = imageSizeMib(manifest) * 2 ** 20;
        step.etaMs = totalMs - (totalMs * report) / reportCount;
        step.filename = `${manifest.catalogId.toLowerCase()}-${manifest.version}.pdpack`;
      });
    }
    faults.check("download");
    cache.add(manifest, clock.wallMs());
  }

  #register(name: string, manifest: CatalogManifest): Vm {
    this.#requireFreeName(name);
    requireDisk(this.#context, manifest.diskMib ?? 65_536);
    const { os, cpuCount, memoryMib, diskMib } = { os: "macosx", ...manifest };
    const vm = this.#context.vms.add({
      name,
      os,
      ...(cpuCount === undefined ? {} : { cpuCount }),
      ...(memoryMib === undefined ? {} : { memoryMib }),
      ...(diskMib === undefined ? {} : { diskMib }),
    });
    this.#context.events.emit({ type: "vm-added", vm });
    this.#context.events.emit({ type: "disk-space-changed" });
    return vm;
  }

  /** With both a start and other resources the service boots, drops what runs, reconfigures and boots again. */
  async #finish(vm: Vm, request: PullRequest): Promise<void> {
    if (request.startOnCreate) await this.#power.change(vm, "start");
    if (request.cpuCount !== undefined || request.memoryMib !== undefined) {
      if (request.startOnCreate) await this.#power.change(vm, "stop", true);
      await this.#context.faults.pass("configure");
      vm.cpuCount = request.cpuCount ?? vm.cpuCount;
      vm.memoryMib = request.memoryMib ?? vm.memoryMib;
      this.#context.events.emit({ type: "vm-updated", vm });
      if (request.startOnCreate) await this.#power.change(vm, "start");
    }
  }

  /** A name that is part of another counts as taken: the service looks for it as a pattern. */
  #requireFreeName(name: string): void {
    for (const vm of this.#context.vms) {
      if (!vm.name.toLowerCase().includes(name.toLowerCase())) continue;
      throw new ServiceError(400, `error: machine with name ${name} already exists`, "name-taken");
    }
  }

  #requireRoom(manifest: CatalogManifest): void {
    const isCached = this.#context.cache.find(manifest) !== undefined;
    const neededMib = (manifest.diskMib ?? 65_536) + (isCached ? 0 : imageSizeMib(manifest));
    if (freeDiskMib(this.#context) >= neededMib) return;
    throw new ServiceError(400, "error: not enough disk space to pull the manifest", "disk-full");
  }

  #enter(job: Job | undefined, name: PullStepName): JobStep | undefined {
    const entered = job?.steps.find((step) => step.name === name);
    if (job === undefined || entered === undefined) return undefined;
    this.#context.jobs.update(job, () => {
      job.state = "running";
      job.message = entered.displayName;
      for (const step of job.steps) {
        if (step === entered) break;
        step.state = "completed";
        step.percent = 100;
      }
      entered.state = "running";
    });
    return entered;
  }
}
