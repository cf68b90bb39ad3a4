/** One job of the service: the making of a VM of a catalog's manifest, with its steps. */

export type JobState = "init" | "pending" | "running" | "completed" | "failed";

export interface JobStep {
  readonly name: string;
  readonly displayName: string;
  /** Its share of the job, of 100 in all. */
  readonly weight: number;
  state: JobState;
  percent: number;
  /** Of the image, in bytes; 0 for steps without a size. */
  totalBytes: number;
  /** What is left, in ms; 0 if not known. */
  etaMs: number;
  filename: string;
}

export class Job {
  readonly id: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
  state: JobState = "pending";
  message = "";
  readonly steps: readonly JobStep[] = pullSteps();
  error = "";
  /** The VM that was made; empty until then. */
  vmId = "";
  vmName = "";

  constructor(id: string, wallMs: number) {
    this.id = id;
    this.createdAtMs = wallMs;
    this.updatedAtMs = wallMs;
  }

  get isEnded(): boolean {
    return this.state === "completed" || this.state === "failed";
  }

  /** From 0 to 100, whole. */
  get progress(): number {
    if (this.state === "completed") return 100;
    return Math.floor(this.steps.reduce((sum, step) => sum + (step.weight * step.percent) / 100, 0));
  }
}

/** The steps of a pull, in order. */
export const pullStepNames = ["validate", "download", "unpack", "register"] as const;
export type PullStepName = (typeof pullStepNames)[number];

const stepFacts: Readonly<Record<PullStepName, { readonly displayName: string; readonly weight: number }>> = {
  validate: { displayName: "Validating", weight: 5 },
  download: { displayName: "Downloading", weight: 60 },
  unpack: { displayName: "Unpacking", weight: 25 },
  register: { displayName: "Registering", weight: 10 },
};

function pullSteps(): JobStep[] {
  return pullStepNames.map((name) => ({
    name,
    ...stepFacts[name],
    state: "pending",
    percent: 0,
    totalBytes: 0,
    etaMs: 0,
    filename: "",
  }));
}
