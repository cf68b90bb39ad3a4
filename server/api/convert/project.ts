/** Projects: read from requests with every field checked, and written into answers with what they hold. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Project,
  type ProjectQuota as ProjectQuotaMessage,
  ProjectSchema,
  type ProjectSpec as ProjectSpecMessage,
  type ProjectSpecSchema,
} from "../../../shared/gen/es/meridian/v1/project_pb.ts";
import { etagOf } from "../../pool/etag.ts";
import { defaultProjectSpec, type ProjectQuota, type ProjectRecord, type ProjectSpec } from "../../pool/project.ts";
import type { ProjectLedger } from "../../pool/project-ledgers.ts";
import type { FieldChecks } from "../field-checks.ts";
import { descriptionLengthMax, projectQuota, projectWeight } from "../limits.ts";
import { nameOf } from "../resource-name.ts";
import { toTimestamp } from "./time.ts";
import { type Field, readLabels } from "./types.ts";

export function toProject(project: ProjectRecord, ledger: ProjectLedger): Project {
  const { vms, cpuCount, memoryMib, diskMib, macosSlots, waiting } = ledger;
  return create(ProjectSchema, {
    name: nameOf("projects", project.id),
    uid: project.uid,
    spec: toProjectSpec(project.spec),
    status: {
      usage: { vms, cpuCount, memoryMib: BigInt(memoryMib), diskMib: BigInt(diskMib), macosSlots },
      waitingVms: waiting,
    },
    generation: BigInt(project.generation),
    createTime: toTimestamp(project.createTimeMs),
    updateTime: toTimestamp(project.updateTimeMs),
    etag: etagOf(project),
  });
}

export function toProjectSpec({
  displayName,
  weight,
  quota,
  labels,
}: ProjectSpec): MessageInitShape<typeof ProjectSpecSchema> {
  const { memoryMib, diskMib, ...counts } = quota;
  return {
    displayName,
    weight,
    quota: {
      ...counts,
      ...(memoryMib === undefined ? {} : { memoryMib: BigInt(memoryMib) }),
      ...(diskMib === undefined ? {} : { diskMib: BigInt(diskMib) }),
    },
    labels: { ...labels },
  };
}

/** @param field such as `project.spec`; the faults found are in `checks`. */
export function readProjectSpec(checks: FieldChecks, { path, value: spec }: Field<ProjectSpecMessage>): ProjectSpec {
  const bounds = { lengthMax: descriptionLengthMax, canBeEmpty: true };
  return {
    displayName: checks.text(`${path}.display_name`, spec.displayName, bounds),
    weight: checks.number(`${path}.weight`, spec.weight ?? defaultProjectSpec.weight, projectWeight),
    quota: readQuota(checks, { path: `${path}.quota`, value: spec.quota }),
    labels: readLabels(checks, { path: `${path}.labels`, value: spec.labels }),
  };
}

function readQuota(checks: FieldChecks, { path, value }: Field<ProjectQuotaMessage | undefined>): ProjectQuota {
  if (value === undefined) return {};
  const bound = <Name extends keyof ProjectQuota>(
    name: Name,
    field: string,
    amount: number | bigint | undefined,
  ): { readonly [Field in Name]?: number } => {
    if (amount === undefined) return {};
    const most = projectQuota[name];
    return { [name]: checks.number(`${path}.${field}`, Number(amount), { least: 0, most }) } as {
      readonly [Field in Name]: number;
    };
  };
  return {
    ...bound("vms", "vms", value.vms),
    ...bound("cpuCount", "cpu_count", value.cpuCount),
    ...bound("memoryMib", "memory_mib", value.memoryMib),
    ...bound("diskMib", "disk_mib", value.diskMib),
    ...bound("macosSlots", "macos_slots", value.macosSlots),
  };
}
