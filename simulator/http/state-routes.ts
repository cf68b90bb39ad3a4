/** The routes that change a VM's state: GET until 1.0.4, PUT since; the other verb is no route. */
import type { SimulatedMac } from "../mac.ts";
import { type PowerVerb, powerRules } from "../power-rules.ts";
import { isFlagSet, param, type Route } from "./route.ts";

export function createStateRoutes(mac: SimulatedMac): readonly Route[] {
  const method = mac.facts.serviceVersion === "1.0.4" ? "GET" : "PUT";
  // The keys of the rules are the verbs.
  const verbs = Object.keys(powerRules) as PowerVerb[];
  return verbs.map((verb) => ({
    method,
    path: `/machines/{id}/${verb}`,
    access: "caller",
    handle: async (call) => {
      const vm = await mac.changeState(param(call, "id"), verb, verb === "stop" && isFlagSet(call, "force"));
      const operation = `${verb.charAt(0).toUpperCase()}${verb.slice(1)}`;
      return { status: 200, body: { id: vm.id, operation, status: "Success" } };
    },
  }));
}
