/** EventService: what happened in the pool, in order. */
import { EventService } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { WatchEventType } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import type { ApiContext } from "../context.ts";
import { listEvents } from "../events/event-list.ts";
import { watchEvents } from "../events/event-watch.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";

export function eventService(context: ApiContext): ServiceBinding {
  const isVisible = (): boolean => true;
  return bindService(EventService, {
    listEvents: async (request) => {
      const { events, ...page } = await listEvents(context, request, isVisible);
      return { events: [...events], ...page };
    },
    async *watchEvents({ filter, fromRevision }, { signal }) {
      for await (const { event, revision } of watchEvents(context, { filter, fromRevision, signal, isVisible })) {
        const type = event === undefined ? WatchEventType.BOOKMARK : WatchEventType.ADDED;
        yield { type, revision: BigInt(revision), ...(event === undefined ? {} : { event }) };
      }
    },
  });
}
