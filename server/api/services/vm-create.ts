/** New VMs: of a template, as copies of others, and those that are only thought of. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { fieldInvalid, notFound } from "../../../shared/errors.ts";
import { type VmSpec as VmSpecMessage, VmSpecSchema } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type {
  CloneVmRequest,
  CreateVmRequest,
  PlacementExplanationSchema,
  PlanVmRequest,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import {
  type BatchCreateVmsRequest,
  BatchCreateVmsRequest_Fit,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { VmId } from "../../../shared/ids.ts";
import { asVmId } from "../../../shared/ids.ts";
import { type Caller, roleIn } from "../../access/caller.ts";
import { planVm } from "../../placement/explain.ts";
import type { VmBatch, VmBatchCreate, VmCreate } from "../../pool/events/vms.ts";
import { resolveImage } from "../../pool/image.ts";
import { checkTemplateUse } from "../../pool/template-use.ts";
import type { VmRecord, VmSpec } from "../../pool/vm.ts";
import { getRecord } from "../answer.ts";
import type { ApiContext } from "../context.ts";
import { toExplanation } from "../convert/explanation.ts";
import { readVmSpec, readVmSpecParts, type VmSpecParts } from "../convert/vm-spec.ts";
import { FieldChecks } from "../field-checks.ts";
import { batchVmsMax, plannedVmsMax } from "../limits.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { vmKind } from "../resource-kind.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import type { CallContext } from "../rpc/handlers.ts";

export async function createVm(
  context: ApiContext,
  request: CreateVmRequest,
  { caller }: CallContext,
): Promise<VmRecord> {
  const requestId = readRequestId(request.requestId);
  const { vmId } = request;
  const id = newVmId(context, vmId);
  const spec = readNewSpec("vm.spec", request.vm?.spec);
  const { principal: owner } = caller;
  const key = requestKeyOf(`CreateVm/${owner}`, requestId, { vmId, spec });
  const by = creatorOf(caller, spec);
  return context.engine.submit({ type: "vm-create", id, uid: context.ids.uid(), spec, ...by, ...key });
}

const fits = {
  [BatchCreateVmsRequest_Fit.UNSPECIFIED]: "wait",
  [BatchCreateVmsRequest_Fit.WAIT]: "wait",
  [BatchCreateVmsRequest_Fit.ALL]: "all",
  [BatchCreateVmsRequest_Fit.ANY]: "any",
} as const satisfies Record<BatchCreateVmsRequest_Fit, VmBatchCreate["fit"]>;

export async function batchCreateVms(
  context: ApiContext,
  request: BatchCreateVmsRequest,
  { caller }: CallContext,
): Promise<VmBatch> {
  const requestId = readRequestId(request.requestId);
  const count = request.requests.length;
  if (count === 0 || count > batchVmsMax) throw fieldInvalid("requests", `must have from 1 to ${batchVmsMax} entries`);
  const fit = Object.hasOwn(fits, request.fit) ? fits[request.fit as keyof typeof fits] : undefined;
  if (fit === undefined) throw fieldInvalid("fit", "is not one that this server knows");
  const asked = request.requests.map(({ vm, vmId, requestId: ownId }, index) => {
    const path = `requests[${index}]`;
    if (ownId !== "") throw fieldInvalid(`${path}.request_id`, "must be empty; the batch has one");
    return { vmId, spec: readNewSpec(`${path}.vm.spec`, vm?.spec) };
  });
  const others = asked.findIndex(({ spec }) => spec.project !== asked[0]?.spec.project);
  if (others >= 0) throw fieldInvalid(`requests[${others}].vm.spec.project`, "must be that of the first VM");
  const { principal: owner } = caller;
  const key = requestKeyOf(`BatchCreateVms/${owner}`, requestId, { fit, asked });
  const vms = asked.map(({ vmId, spec }) => ({ id: newVmId(context, vmId), uid: context.ids.uid(), spec }));
  const by = vms[0] === undefined ? { owner } : creatorOf(caller, vms[0].spec);
  return context.engine.submit({ type: "vm-batch-create", vms, ...by, fit, ...key });
}

export async function cloneVm(
  context: ApiContext,
  request: CloneVmRequest,
  { caller }: CallContext,
): Promise<VmRecord> {
  const requestId = readRequestId(request.requestId);
  const { name, vmId } = request;
  const id = newVmId(context, vmId);
  const sourceId = idOfName("vms", name);
  const parts = readCopyParts(request.spec ?? create(VmSpecSchema));
  const { principal: owner } = caller;
  const key = requestKeyOf(`CloneVm/${owner}`, requestId, { name, vmId, parts });
  const spec = specOfCopy(await getRecord(context, vmKind, sourceId), parts);
  const by = creatorOf(caller, spec);
  return context.engine.submit({ type: "vm-create", id, uid: context.ids.uid(), spec, ...by, ...key });
}

export function planNewVm(
  context: ApiContext,
  request: PlanVmRequest,
  { caller }: CallContext,
): Promise<MessageInitShape<typeof PlacementExplanationSchema>> {
  const spec = readNewSpec("spec", request.spec);
  const count = request.count === 0 ? 1 : request.count;
  if (count > plannedVmsMax) throw fieldInvalid("count", `must be from 1 to ${plannedVmsMax}`);
  return context.engine.read((view) => {
    const { host } = spec.placement;
    if (host !== undefined && !view.hosts.has(host)) throw notFound(`hosts/${host}`);
    checkTemplateUse(view, spec, roleIn(caller, spec.project));
    const plan = { spec, image: resolveImage(view, spec), count, nowMs: context.engine.nowMs() };
    return toExplanation(planVm(view, plan));
  });
}

/** Who asks for a VM, and his role where it is to be. */
function creatorOf(caller: Caller, { project }: VmSpec): Pick<VmCreate, "owner" | "role"> {
  const role = roleIn(caller, project);
  return { owner: caller.principal, ...(role === undefined ? {} : { role }) };
}

/** The id that the caller chose, or a new one. */
export function newVmId(context: ApiContext, chosen: string): VmId {
  return chosen === "" ? asVmId(`vm-${context.ids.suffix(10)}`) : chosenId("vms", chosen, "vm_id");
}

function readNewSpec(path: string, spec: VmSpecMessage | undefined): VmSpec {
  if (spec === undefined) throw fieldInvalid(path, "must be set");
  const checks = new FieldChecks();
  const read = readVmSpec(checks, { path, value: spec });
  checks.finish();
  return read;
}

/** What a request says of a copy: all but what comes from the original. */
function readCopyParts(message: VmSpecMessage): VmSpecParts {
  const checks = new FieldChecks();
  const { template, sourceVm, placement } = message;
  if (template !== "") checks.refuse("spec.template", "comes from the original; leave it out");
  if (sourceVm !== "") checks.refuse("spec.source_vm", "is the VM that is copied; leave it out");
  if (placement !== undefined && placement.host !== "") {
    checks.refuse("spec.placement.host", "is the original's; leave it out");
  }
  const parts = readVmSpecParts(checks, { path: "spec", value: message });
  checks.finish();
  return parts;
}

/** A copy's template and host are the original's, and so are resources that are not said. */
function specOfCopy(source: VmRecord, parts: VmSpecParts): VmSpec {
  const { resources } = parts;
  return {
    ...parts,
    template: source.spec.template,
    ...(source.spec.templateVersion === undefined ? {} : { templateVersion: source.spec.templateVersion }),
    sourceVm: source.id,
    resources: {
      cpuCount: resources.cpuCount || source.resources.cpuCount,
      memoryMib: resources.memoryMib || source.resources.memoryMib,
      diskMib: resources.diskMib || source.resources.diskMib,
    },
    placement: { ...parts.placement, ...(source.host === undefined ? {} : { host: source.host }) },
  };
}
