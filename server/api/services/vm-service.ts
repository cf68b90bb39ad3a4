/** VmService. */
import { notFound } from "../../../shared/errors.ts";
import type { Vm } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { type RenewVmRequest, VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { type Caller, canSeeProject, roleEverywhere } from "../../access/caller.ts";
import { explainVm } from "../../placement/explain.ts";
import type { PendingAction, VmRecord, WantedState } from "../../pool/vm.ts";
import { getResource } from "../answer.ts";
import { readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { toExplanation } from "../convert/explanation.ts";
import { readDuration } from "../convert/time.ts";
import { toVm } from "../convert/vm.ts";
import { FieldChecks } from "../field-checks.ts";
import { leaseDurationMs } from "../limits.ts";
import { listResources } from "../list/list.ts";
import { vmKind } from "../resource-kind.ts";
import { idOfName } from "../resource-name.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { SharedAnswers } from "../rpc/shared-answers.ts";
import { type WatchEvent, Watches } from "../watch.ts";
import { adoptVm } from "./vm-adopt.ts";
import { batchCreateVms, cloneVm, createVm, planNewVm } from "./vm-create.ts";
import { execVm } from "./vm-exec.ts";
import { updateVm } from "./vm-update.ts";
import { waitVm } from "./vm-wait.ts";

export function vmService(context: ApiContext): ServiceBinding {
  // The record alone, without another reading of the pool, which would have to wait for the next sync.
  const answer = async (record: Promise<VmRecord>): Promise<{ readonly vm: Vm }> => ({
    vm: toVm(await record, () => "waits for a host"),
  });
  const want = (request: NamedVm, wish: VmWish): Promise<{ readonly vm: Vm }> => answer(wantVm(context, request, wish));
  const watches = new Watches(context, vmKind);
  const told = new SharedAnswers(({ type, resource, revision }: WatchEvent<Vm>) => ({
    type,
    revision,
    ...(resource === undefined ? {} : { vm: resource }),
  }));
  return bindService(VmService, {
    createVm: async (request, call) => answer(createVm(context, request, call)),
    batchCreateVms: async (request, call) => {
      const { vms, refusedCount, refusal } = await batchCreateVms(context, request, call);
      return { vms: vms.map((vm) => toVm(vm, () => "waits for a host")), refusedCount, refusal };
    },
    cloneVm: async (request, call) => answer(cloneVm(context, request, call)),
    updateVm: async (request) => answer(updateVm(context, request)),
    adoptVm: async (request, call) => answer(adoptVm(context, request, call)),
    renewVm: async (request) => answer(renewVm(context, request)),
    waitVm: async (request, call) => answer(waitVm(context, request, call)),
    getVm: async (request) => ({ vm: await getResource(context, vmKind, request.name) }),
    listVms: async (request, { caller }) => {
      const { resources, ...page } = await listResources(context, vmKind, {
        ...request,
        isVisible: visibleVms(caller),
      });
      return { vms: resources, ...page };
    },
    async *watchVms(request, call) {
      const { signal, caller } = call;
      for await (const event of watches.watch({ ...request, signal, isVisible: visibleVms(caller) }))
        yield told.of(event);
    },
    startVm: async (request) => want(request, { wanted: "running" }),
    stopVm: async (request) => want(request, { wanted: "stopped", force: request.force }),
    suspendVm: async (request) => want(request, { wanted: "suspended" }),
    resumeVm: async (request) => want(request, { wanted: "running" }),
    pauseVm: async (request) => want(request, { wanted: "paused" }),
    restartVm: async (request) => want(request, { wanted: "running", action: "restart" }),
    resetVm: async (request) => want(request, { wanted: "running", action: "reset" }),
    deleteVm: async (request) => want(request, { wanted: "deleted", force: request.force ?? true }),
    explainVm: async (request) => {
      const id = idOfName("vms", request.name);
      const explanation = await context.engine.read((view) => {
        const vm = view.vms.get(id);
        if (vm === undefined) throw notFound(`vms/${id}`);
        return toExplanation(explainVm(view, vm, context.engine.nowMs()));
      });
      return { explanation };
    },
    planVm: async (request, call) => ({ explanation: await planNewVm(context, request, call) }),
    execVm: (requests, call) => execVm(context, requests, call),
  });
}

/** Those of the projects that the caller may see; nothing if that is all of them. */
function visibleVms(caller: Caller): ((vm: VmRecord) => boolean) | undefined {
  return roleEverywhere(caller) === undefined ? ({ spec }) => canSeeProject(caller, spec.project) : undefined;
}

interface NamedVm {
  readonly name: string;
  readonly etag: string;
}

interface VmWish {
  readonly wanted: WantedState;
  readonly action?: PendingAction;
  readonly force?: boolean;
}

async function renewVm(context: ApiContext, request: RenewVmRequest): Promise<VmRecord> {
  const id = idOfName("vms", request.name);
  const checks = new FieldChecks();
  const leaseField = { path: "lease_duration", value: request.leaseDuration };
  const leaseMs = readDuration(checks, leaseField, leaseDurationMs);
  checks.finish();
  return context.engine.submit({
    type: "vm-renew",
    id,
    ...(leaseMs === undefined ? {} : { leaseDurationMs: leaseMs }),
  });
}

function wantVm(context: ApiContext, request: NamedVm, wish: VmWish): Promise<VmRecord> {
  const id = idOfName("vms", request.name);
  const etag = readEtag(request.etag);
  return context.engine.submit({
    type: "vm-want",
    id,
    ...(etag === undefined ? {} : { etag }),
    wanted: wish.wanted,
    ...(wish.action === undefined ? {} : { action: wish.action }),
    force: wish.force ?? false,
  });
}
