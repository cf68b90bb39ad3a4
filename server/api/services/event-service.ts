/** EventService: what happened in the pool, in order. */
import { EventService } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { WatchEventType } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { type Caller, canSeeProject, roleEverywhere } from "../../access/caller.ts";
import type { ApiContext } from "../context.ts";
import { type EventVisibility, listEvents } from "../events/event-list.ts";
import { watchEvents } from "../events/event-watch.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";

export function eventService(context: ApiContext): ServiceBinding {
  return bindService(EventService, {
    listEvents: async (request, { caller }) => {
      const { events, ...page } = await listEvents(context, request, visibleEvents(caller));
      return { events: [...events], ...page };
    },
    async *watchEvents({ filter, fromRevision }, { signal, caller }) {
      const isVisible = visibleEvents(caller);
      for await (const { event, revision } of watchEvents(context, { filter, fromRevision, signal, isVisible })) {
        const type = event === undefined ? WatchEventType.BOOKMARK : WatchEventType.ADDED;
        yield { type, revision: BigInt(revision), ...(event === undefined ? {} : { event }) };
      }
    },
  });
}

/** All of them, or those of the projects that the caller may see. */
function visibleEvents(caller: Caller): EventVisibility {
  if (roleEverywhere(caller) !== undefined) return () => true;
  return ({ project }) => project !== "" && canSeeProject(caller, project);
}
