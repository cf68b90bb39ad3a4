/** A job as the service sends it, in answers and in events. */
import type { Job, JobStep } from "../job.ts";

export type WireJob = Readonly<Record<string, unknown>>;

export function toWireJob(job: Job): WireJob {
  const isDone = job.state === "completed";
  return {
    id: job.id,
    owner: "root",
    owner_name: "root",
    owner_email: "root@localhost",
    state: job.state,
    message: job.message,
    progress: job.progress,
    job_type: "machines",
    job_operation: "create",
    is_orchestrator_job: false,
    steps: job.steps.map(toWireStep),
    result: isDone ? `Virtual machine ${job.vmId} created` : "",
    result_record_id: job.vmId,
    result_record_name: job.vmName,
    result_record_type: isDone ? "virtual_machine" : "",
    result_record_link_id: "",
    error: job.error,
    created_at: new Date(job.createdAtMs).toISOString(),
    updated_at: new Date(job.updatedAtMs).toISOString(),
  };
}

/** What the service answers when the caller chose the job's id: the id, and nothing else filled in. */
export function toBareWireJob(id: string): WireJob {
  return {
    id,
    owner: "",
    owner_name: "",
    owner_email: "",
    state: "",
    message: "",
    progress: 0,
    job_type: "",
    job_operation: "",
    is_orchestrator_job: false,
    steps: null,
    result: "",
    result_record_id: "",
    result_record_name: "",
    result_record_type: "",
    result_record_link_id: "",
    error: "",
    created_at: "",
    updated_at: "",
  };
}

function toWireStep(step: JobStep): WireJob {
  const hasPercentage = step.totalBytes > 0;
  return {
    name: step.name,
    display_name: step.displayName,
    weight: step.weight,
    parallel: false,
    has_percentage: hasPercentage,
    state: step.state,
    current_percentage: step.percent,
    value: Math.floor((step.totalBytes * step.percent) / 100),
    total: step.totalBytes,
    eta: step.etaMs > 0 ? toGoDuration(step.etaMs) : "",
    message: "",
    error: "",
    filename: step.filename,
    unit: hasPercentage ? "bytes" : "",
  };
}

/** As Go prints it, in whole seconds: "4m10s", "8s". */
function toGoDuration(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
