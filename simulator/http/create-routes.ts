/** The two routes that make a VM of a catalog's manifest: one answers when it is there, the other with a job. */
import type { SimulatedMac } from "../mac.ts";
import { macUser } from "../mac-facts.ts";
import type { PullRequest } from "../pulls.ts";
import { bodyInvalid, ServiceError } from "../service-error.ts";
import { flag, isFields, readFields, requiredText, text } from "./fields.ts";
import type { Call, Route } from "./route.ts";
import { toBareWireJob, toWireJob } from "./wire-job.ts";

export function createCreateRoutes(mac: SimulatedMac): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/machines",
      access: "caller",
      handle: async ({ body }) => {
        const vm = await mac.create(readPullRequest(body));
        return {
          status: 200,
          body: { id: vm.id, host: "", name: vm.name, owner: macUser, current_state: vm.state },
        };
      },
    },
    {
      method: "POST",
      path: "/machines/async",
      access: "caller",
      handle: async (call) => {
        const request = readPullRequest(call.body);
        const chosenId = readChosenJobId(call);
        const job = await mac.beginCreate(request, chosenId);
        return { status: 202, body: chosenId === undefined ? toWireJob(job) : toBareWireJob(job.id) };
      },
    },
  ];
}

/** The job id that the caller chose, which takes two headers. */
function readChosenJobId({ headers }: Call): string | undefined {
  const id = headers["x-orchestrator-job-id"];
  const isInternal = headers["x-internal-api-client"] === "true";
  return isInternal && typeof id === "string" && id !== "" ? id : undefined;
}

/** @throws ServiceError */
function readPullRequest(body: unknown): PullRequest {
  const fields = readFields(body);
  const name = requiredText(fields, "name");
  if (isFields(fields["packer_template"]) || isFields(fields["vagrant_box"])) {
    throw new ServiceError(400, "packer templates and vagrant boxes are not supported");
  }
  const manifest = fields["catalog_manifest"];
  if (!isFields(manifest)) throw new ServiceError(400, "no template was specified");
  const connection = text(manifest, "connection");
  if (text(manifest, "catalog_manager_id") !== "") {
    throw connection === ""
      ? new ServiceError(404, "error 404: catalog manager not found")
      : bodyInvalid("error: connection and catalog_manager_id exclude each other");
  }
  const specs = isFields(manifest["specs"]) ? manifest["specs"] : {};
  const [cpu, memory] = [text(specs, "cpu"), text(specs, "memory")];
  return {
    name,
    catalogId: requiredText(manifest, "catalog_id"),
    version: text(manifest, "version") || "latest",
    connection,
    startOnCreate: flag(fields, "start_on_create"),
    ...(cpu === "" ? {} : { cpuCount: toSpecCount(cpu) }),
    ...(memory === "" ? {} : { memoryMib: toSpecCount(memory) }),
  };
}

/** The numbers are strings; one that is none counts as 1. */
function toSpecCount(value: string): number {
  return /^\d+$/.test(value) ? Number(value) : 1;
}
