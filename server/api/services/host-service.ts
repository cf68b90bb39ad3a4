/** HostService. */
import type { Host } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import { HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import type { HostRecord } from "../../pool/host.ts";
import { answerRecord, getResource } from "../answer.ts";
import { readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { listResources } from "../list/list.ts";
import { hostKind } from "../resource-kind.ts";
import { idOfName } from "../resource-name.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { SharedAnswers } from "../rpc/shared-answers.ts";
import { type WatchEvent, Watches } from "../watch.ts";
import { drainHost, releaseHost, setSchedulable, updateHost } from "./host-change.ts";
import { controlHostVm, listHostVms } from "./host-vms.ts";

export function hostService(context: ApiContext): ServiceBinding {
  const answer = async (record: Promise<HostRecord>): Promise<{ readonly host: Host }> => ({
    host: await answerRecord(context, hostKind, await record),
  });
  const watches = new Watches(context, hostKind);
  const told = new SharedAnswers(({ type, resource, revision }: WatchEvent<Host>) => ({
    type,
    revision,
    ...(resource === undefined ? {} : { host: resource }),
  }));
  return bindService(HostService, {
    getHost: async (request) => ({ host: await getResource(context, hostKind, request.name) }),
    listHosts: async (request) => {
      const { resources, ...page } = await listResources(context, hostKind, request);
      return { hosts: resources, ...page };
    },
    async *watchHosts(request, call) {
      for await (const event of watches.watch({ ...request, signal: call.signal })) yield told.of(event);
    },
    updateHost: async (request) => answer(updateHost(context, request)),
    cordonHost: async (request) => answer(setSchedulable(context, request, false)),
    uncordonHost: async (request) => answer(setSchedulable(context, request, true)),
    releaseHost: async (request) => answer(releaseHost(context, request)),
    drainHost: async (request) => answer(drainHost(context, request)),
    revokeHost: async (request) => {
      const id = idOfName("hosts", request.name);
      await context.engine.submit({ type: "host-revoke", host: id });
      return { host: await getResource(context, hostKind, request.name) };
    },
    deleteHost: async (request) => {
      const id = idOfName("hosts", request.name);
      const etag = readEtag(request.etag);
      await context.engine.submit({
        type: "host-delete",
        id,
        ...(etag === undefined ? {} : { etag }),
        force: request.force,
      });
      return {};
    },
    listHostVms: async (request) => listHostVms(context, request.name),
    controlHostVm: async (request, call) => ({ vm: await controlHostVm(context, request, call) }),
  });
}
