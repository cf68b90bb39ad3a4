/** The standard health service of the gRPC port: overall ("") and for each service, NOT_SERVING while the server closes. */
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

export interface Health {
  setServing(isServing: boolean): void;
}

/** Adds the service to the server, NOT_SERVING at first. */
export function addHealth(server: Server, serviceNames: readonly string[]): Health {
  const names = ["", ...serviceNames];
  const health = new HealthImplementation();
  const setServing = (isServing: boolean): void => {
    for (const name of names) health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  };
  setServing(false);
  health.addToServer(server);
  return { setServing };
}
