/** What a client wants of a VM, as it is answered: with the defaults that were filled in. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { VmPlacementSchema, VmSpecSchema } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { VmPlacement, VmSpec } from "../../pool/vm.ts";
import { nameOf } from "../resource-name.ts";
import { architectures, hostLossPolicies, strategies, wantedStates } from "./enums.ts";
import { toDuration } from "./time.ts";
import { toLabelExpression, toReadiness } from "./types.ts";

export function toVmSpec(spec: VmSpec): MessageInitShape<typeof VmSpecSchema> {
  const template = spec.template === "" ? "" : nameOf("templates", spec.template);
  return {
    project: spec.project,
    template: spec.templateVersion === undefined ? template : `${template}/versions/${spec.templateVersion}`,
    sourceVm: spec.sourceVm === undefined ? "" : nameOf("vms", spec.sourceVm),
    resources: { ...spec.resources },
    placement: toPlacement(spec.placement),
    priority: spec.priority,
    wanted: wantedStates[spec.wanted],
    ...(spec.pendingTimeoutMs === 0 ? {} : { pendingTimeout: toDuration(spec.pendingTimeoutMs) }),
    ...(spec.leaseDurationMs === undefined ? {} : { leaseDuration: toDuration(spec.leaseDurationMs) }),
    ...(spec.maxLifetimeMs === undefined ? {} : { maxLifetime: toDuration(spec.maxLifetimeMs) }),
    onHostLost: hostLossPolicies[spec.onHostLost ?? "keep"],
    retryAttempts: spec.retryAttempts ?? 0,
    preemptible: spec.preemptible ?? false,
    ...(spec.readiness === undefined ? {} : { readiness: toReadiness(spec.readiness) }),
    labels: { ...spec.labels },
    annotations: { ...spec.annotations },
  };
}

function toPlacement(placement: VmPlacement): MessageInitShape<typeof VmPlacementSchema> {
  const { architecture, host } = placement;
  return {
    ...(architecture === undefined ? {} : { architecture: architectures[architecture] }),
    host: host === undefined ? "" : nameOf("hosts", host),
    required: placement.required.map(toLabelExpression),
    preferred: placement.preferred.map(toLabelExpression),
    spreadKey: placement.spreadKey ?? "",
    ...(placement.strategy === undefined ? {} : { strategy: strategies[placement.strategy] }),
  };
}
