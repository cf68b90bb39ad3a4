/** What Parallels Desktop shows on a host, and orders for those of these VMs that the pool does not own. */
import { type MessageInitShape } from "@bufbuild/protobuf";
import { fieldInvalid, MeridianError, notFound } from "../../../shared/errors.ts";
import type { HostVm as HostVmMessage } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import {
  ControlHostVmRequest_Action as Action,
  type ControlHostVmRequest,
  type ListHostVmsResponseSchema,
} from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { type HostId, parseHostVmName } from "../../../shared/ids.ts";
import type { HostRecord, HostVm } from "../../pool/host.ts";
import type { PoolView } from "../../pool/view.ts";
import type { VmRecord } from "../../pool/vm.ts";
import type { HostCall } from "../../sessions/host-calls.ts";
import type { ApiContext } from "../context.ts";
import { requiredWord } from "../convert/enums.ts";
import { toForeignHostVm, toOwnedHostVm } from "../convert/host-vm.ts";
import { readDuration, toTimestamp } from "../convert/time.ts";
import { FieldChecks } from "../field-checks.ts";
import { controlTimeoutMs, foreignNameLengthMax } from "../limits.ts";
import { idOfName, nameOf } from "../resource-name.ts";
import type { CallContext } from "../rpc/handlers.ts";

export function listHostVms(
  context: ApiContext,
  name: string,
): Promise<MessageInitShape<typeof ListHostVmsResponseSchema>> {
  const id = idOfName("hosts", name);
  return context.engine.read((view) => {
    const host = findHost(view, id);
    const heardAtMs = view.contact(id)?.heardAtMs ?? 0;
    const vms = [...ownedVms(view, id), ...host.foreignVms.map((vm) => toForeignHostVm(id, vm))];
    return {
      vms: vms.sort((a, b) => compareNames(a.displayName, b.displayName)),
      // 0: not heard since this server started.
      ...(heardAtMs === 0 ? {} : { reportTime: toTimestamp(heardAtMs) }),
    };
  });
}

type ControlKind = Exclude<HostCall["kind"], "exec">;

const actions: Readonly<Record<ControlKind, Action>> = {
  start: Action.START,
  stop: Action.STOP,
  suspend: Action.SUSPEND,
  resume: Action.RESUME,
  pause: Action.PAUSE,
  restart: Action.RESTART,
  reset: Action.RESET,
  delete: Action.DELETE,
};

export async function controlHostVm(
  context: ApiContext,
  request: ControlHostVmRequest,
  call: CallContext,
): Promise<HostVmMessage> {
  const id = idOfName("hosts", request.name);
  const checks = new FieldChecks();
  checks.text("host_vm", request.hostVm, { lengthMax: foreignNameLengthMax });
  const kind = requiredWord(checks, { path: "action", value: request.action }, actions);
  const timeoutField = { path: "timeout", value: request.timeout };
  const asked = readDuration(checks, timeoutField, controlTimeoutMs) ?? controlTimeoutMs.default;
  checks.finish();
  if (kind === undefined) throw fieldInvalid("action", "must be set");
  const before = await context.engine.read((view) => findForeign(view, findHost(view, id), request.hostVm));
  const timeoutMs = Math.min(asked, call.timeoutMs() ?? asked);
  const order: HostCall = { kind, hostVmId: before.id, force: request.force };
  const result = await context.hostCalls.call(id, order, { timeoutMs, signal: call.signal });
  return toForeignHostVm(id, result.vm ?? before);
}

function findHost(view: PoolView, id: HostId): HostRecord {
  const host = view.hosts.get(id);
  if (host === undefined) throw notFound(nameOf("hosts", id));
  return host;
}

function ownedVms(view: PoolView, host: HostId): HostVmMessage[] {
  return owned(view, host).flatMap((vm) => (vm.sight === undefined ? [] : [toOwnedHostVm(host, vm, vm.sight)]));
}

function owned(view: PoolView, host: HostId): VmRecord[] {
  return [...view.vmsOn(host)].flatMap((id) => view.vms.get(id) ?? []);
}

/** The one VM of that id or name that the pool does not own. */
function findForeign(view: PoolView, host: HostRecord, idOrName: string): HostVm {
  const own = owned(view, host.id).find(({ sight }) => sight?.id === idOrName || sight?.name === idOrName);
  if (own !== undefined) throw ownedByPool(host, nameOf("vms", own.id));
  const found = host.foreignVms.filter((vm) => vm.id === idOrName);
  const named = found.length > 0 ? found : host.foreignVms.filter((vm) => vm.name === idOrName);
  const [vm, ...more] = named;
  if (vm === undefined) throw notFound(`${nameOf("hosts", host.id)}/vms/${idOrName}`);
  if (more.length > 0) throw fieldInvalid("host_vm", `is the name of ${named.length} VMs on this host; give the id`);
  // Made by a pool, though by none of this one's VMs: what is left of one that is being cleaned away.
  if (parseHostVmName(vm.name) !== undefined) throw ownedByPool(host, vm.name);
  return vm;
}

function ownedByPool(host: HostRecord, vm: string): MeridianError {
  return new MeridianError("STATE_NOT_ALLOWED", `${vm} on hosts/${host.id} is the pool's own; use VmService for it`, {
    resource: vm,
    metadata: { vm, host: nameOf("hosts", host.id) },
  });
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
