/** All services of the public API. */
import type { ApiContext } from "../context.ts";
import type { ServiceBinding } from "../rpc/handlers.ts";
import { accessService } from "./access-service.ts";
import { catalogService } from "./catalog-service.ts";
import { eventService } from "./event-service.ts";
import { hostService } from "./host-service.ts";
import { poolService } from "./pool-service.ts";
import { templateService } from "./template-service.ts";
import { vmService } from "./vm-service.ts";

export function createServices(context: ApiContext): ServiceBinding[] {
  return [
    vmService(context),
    hostService(context),
    templateService(context),
    catalogService(context),
    accessService(context),
    poolService(context),
    eventService(context),
  ];
}
