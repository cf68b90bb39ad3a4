/** UpdateVm: which fields of a VM's spec can change, and when. */
import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { fieldInvalid, MeridianError } from "../../../shared/errors.ts";
import { VmSpecSchema } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { UpdateVmRequest } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { etagOf } from "../../pool/etag.ts";
import type { VmRecord, VmSpec } from "../../pool/vm.ts";
import { getRecord } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readVmSpecParts } from "../convert/vm-spec.ts";
import { toVmSpec } from "../convert/vm-spec-message.ts";
import { FieldChecks } from "../field-checks.ts";
import { vmKind } from "../resource-kind.ts";
import { idOfName, nameOf } from "../resource-name.ts";
import { applyUpdateMask } from "../update-mask.ts";

export function updateVm(context: ApiContext, request: UpdateVmRequest): Promise<VmRecord> {
  const { vm: wanted, updateMask } = request;
  const id = idOfName("vms", wanted?.name ?? "", "vm.name");
  const etag = readEtag(wanted?.etag ?? "", "vm.etag");
  return changeUntilDone(etag, async () => {
    const vm = await getRecord(context, vmKind, id);
    const spec = readChange(vm, { wanted: wanted?.spec, mask: updateMask });
    // What is fixed by placement may change only if the VM is still as it was read, whatever else has changed meanwhile.
    const proof = etag ?? (isPlacementChange(vm, spec) ? etagOf(vm) : undefined);
    return context.engine.submit({
      type: "vm-update",
      id,
      ...(proof === undefined ? {} : { etag: proof }),
      baseGeneration: vm.generation,
      spec,
    });
  });
}

function readChange(
  vm: VmRecord,
  request: Pick<Parameters<typeof applyUpdateMask<typeof VmSpecSchema>>[0], "wanted" | "mask">,
): VmSpec {
  const current = create(VmSpecSchema, toVmSpec(vm.spec));
  const message = applyUpdateMask({ path: "vm.spec", schema: VmSpecSchema, current, ...request });
  if (message.template !== current.template) throw immutable("template");
  if (message.sourceVm !== current.sourceVm) throw immutable("source_vm");
  const checks = new FieldChecks();
  const parts = readVmSpecParts(checks, { path: "vm.spec", value: message });
  // Of a VM that is being deleted the engine says so; that DELETED cannot be written is not what the caller did wrong.
  if (vm.spec.wanted !== "deleted") checks.finish();
  if (parts.project !== vm.spec.project) throw immutable("project");
  if (vm.state !== "PENDING") {
    if (!isDeepStrictEqual(parts.resources, vm.spec.resources)) throw fixedByPlacement(vm, "resources");
    if (!isDeepStrictEqual(parts.placement, vm.spec.placement)) throw fixedByPlacement(vm, "placement");
  }
  const { template, templateVersion, sourceVm } = vm.spec;
  return {
    ...parts,
    template,
    ...(templateVersion === undefined ? {} : { templateVersion }),
    ...(sourceVm === undefined ? {} : { sourceVm }),
  };
}

function isPlacementChange(vm: VmRecord, spec: VmSpec): boolean {
  const { resources, placement } = vm.spec;
  return !isDeepStrictEqual(spec.resources, resources) || !isDeepStrictEqual(spec.placement, placement);
}

function immutable(field: string): MeridianError {
  return fieldInvalid(`vm.spec.${field}`, "cannot be changed; make a new VM");
}

function fixedByPlacement(vm: VmRecord, field: string): MeridianError {
  return new MeridianError(
    "STATE_NOT_ALLOWED",
    `vm.spec.${field} can be changed only while the VM is PENDING; it is ${vm.state}`,
    {
      metadata: { vm: nameOf("vms", vm.id), state: vm.state, field: `vm.spec.${field}` },
      resource: nameOf("vms", vm.id),
    },
  );
}
