/** AdoptVm: a VM that stands on a host becomes the pool's, as it is. */
import { create } from "@bufbuild/protobuf";
import { VmSpec_Wanted, VmSpecSchema } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { AdoptVmRequest } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { VmRecord } from "../../pool/vm.ts";
import type { ApiContext } from "../context.ts";
import { readVmSpecParts } from "../convert/vm-spec.ts";
import { FieldChecks } from "../field-checks.ts";
import { foreignNameLengthMax } from "../limits.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { checkName } from "../resource-name.ts";
import type { CallContext } from "../rpc/handlers.ts";
import { newVmId } from "./vm-create.ts";

export function adoptVm(context: ApiContext, request: AdoptVmRequest, { caller }: CallContext): Promise<VmRecord> {
  const requestId = readRequestId(request.requestId);
  const { vmId, hostVm } = request;
  const id = newVmId(context, vmId);
  const checks = new FieldChecks();
  const host = checkName(checks, "hosts", { path: "host", value: request.host });
  checks.text("host_vm", hostVm, { lengthMax: foreignNameLengthMax });
  const message = request.spec ?? create(VmSpecSchema);
  if (message.template !== "") checks.refuse("spec.template", "an adopted VM is of no template; leave it out");
  if (message.sourceVm !== "") checks.refuse("spec.source_vm", "is set by CloneVm alone");
  if (message.resources !== undefined) checks.refuse("spec.resources", "are what they are; leave them out");
  if (message.placement !== undefined) checks.refuse("spec.placement", "is what it is; leave it out");
  const { wanted, ...parts } = readVmSpecParts(checks, { path: "spec", value: message });
  checks.finish();
  const { principal: owner } = caller;
  const spec = message.wanted === VmSpec_Wanted.UNSPECIFIED ? parts : { ...parts, wanted };
  const key = requestKeyOf(`AdoptVm/${owner}`, requestId, { host, hostVm, vmId, spec });
  return context.engine.submit({ type: "vm-adopt", id, uid: context.ids.uid(), host, hostVm, spec, owner, ...key });
}
