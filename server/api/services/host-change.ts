/** Changes of what operators want of a host: UpdateHost, and cordon, uncordon and drain, which are changes of the spec too. */
import { create } from "@bufbuild/protobuf";
import { HostSpecSchema } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import type { DrainHostRequest, UpdateHostRequest } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import type { HostId } from "../../../shared/ids.ts";
import type { HostDrain, HostRecord, HostSpec } from "../../pool/host.ts";
import { getRecord } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { drainEnds, optionalWord } from "../convert/enums.ts";
import { readHostSpec, toHostSpec } from "../convert/host-spec.ts";
import { readDuration } from "../convert/time.ts";
import { FieldChecks } from "../field-checks.ts";
import { descriptionLengthMax, drainDeadlineMs } from "../limits.ts";
import { hostKind } from "../resource-kind.ts";
import { idOfName } from "../resource-name.ts";
import { applyUpdateMask } from "../update-mask.ts";

export function updateHost(context: ApiContext, request: UpdateHostRequest): Promise<HostRecord> {
  const { host: wanted, updateMask: mask } = request;
  const id = idOfName("hosts", wanted?.name ?? "", "host.name");
  return changeHost(context, { id, etag: readEtag(wanted?.etag ?? "", "host.etag") }, (spec) => {
    const current = create(HostSpecSchema, toHostSpec(spec));
    const message = applyUpdateMask({ path: "host.spec", schema: HostSpecSchema, current, wanted: wanted?.spec, mask });
    const checks = new FieldChecks();
    const changed = readHostSpec(checks, { path: "host.spec", value: message });
    checks.finish();
    return changed;
  });
}

export interface NamedHost {
  readonly name: string;
  readonly etag: string;
}

/** Uncordoning ends a drain; cordoning leaves it as it is. */
export function setSchedulable(context: ApiContext, request: NamedHost, schedulable: boolean): Promise<HostRecord> {
  const target = { id: idOfName("hosts", request.name), etag: readEtag(request.etag) };
  return changeHost(context, target, ({ drain, ...spec }) => ({
    ...spec,
    ...(schedulable || drain === undefined ? {} : { drain }),
    schedulable,
  }));
}

export async function releaseHost(context: ApiContext, request: NamedHost): Promise<HostRecord> {
  const id = idOfName("hosts", request.name);
  const etag = readEtag(request.etag);
  return context.engine.submit({ type: "host-release", id, ...(etag === undefined ? {} : { etag }) });
}

export function drainHost(context: ApiContext, request: DrainHostRequest): Promise<HostRecord> {
  const target = { id: idOfName("hosts", request.name), etag: readEtag(request.etag) };
  const checks = new FieldChecks();
  const inMs = readDuration(checks, { path: "deadline", value: request.deadline }, drainDeadlineMs);
  const drain: HostDrain = {
    ...(inMs === undefined ? {} : { deadlineMs: context.engine.nowMs() + inMs }),
    reason: checks.text("reason", request.reason, { lengthMax: descriptionLengthMax, canBeEmpty: true }),
    // oxlint-disable-next-line unicorn/no-thenable -- the protocol's word for what comes then; no function.
    then: optionalWord(checks, { path: "then", value: request.then }, drainEnds) ?? "stay-cordoned",
  };
  checks.finish();
  return changeHost(context, target, (spec) => ({ ...spec, schedulable: false, drain }));
}

function changeHost(
  context: ApiContext,
  { id, etag }: { readonly id: HostId; readonly etag: string | undefined },
  change: (spec: HostSpec) => HostSpec,
): Promise<HostRecord> {
  return changeUntilDone(etag, async () => {
    const host = await getRecord(context, hostKind, id);
    return context.engine.submit({
      type: "host-update",
      id,
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: host.generation,
      spec: change(host.spec),
    });
  });
}
