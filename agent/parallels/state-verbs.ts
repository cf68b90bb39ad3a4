/**
 * Changes of a VM's state. Up to version 1.0.4 the service wants them as GET, since 1.0.5 as PUT, and answers the wrong one
 * with a 404 that names the route. So PUT is tried first and what worked is remembered; when that stops working, the service
 * was upgraded or put back meanwhile, and the other one is tried again. No other refusal is ever repeated.
 */
import { type ChangeStateOptions, ParallelsError, type StateVerb } from "./api.ts";
import { isRouteMissing } from "./error-judgement.ts";
import { pathOf, type ServiceClient } from "./service-client.ts";

type Method = "PUT" | "GET";

export class StateVerbs {
  readonly #client: ServiceClient;
  #method: Method = "PUT";

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  /** Resolves when Parallels Desktop says that it is done. */
  async change(vmId: string, verb: StateVerb, options: ChangeStateOptions = {}): Promise<void> {
    if (options.force === true && verb !== "stop") throw new ParallelsError("failed", `${verb} cannot be forced`);
    const query = options.force === true ? "?force=true" : "";
    const path = pathOf`/machines/${vmId}/${verb}` + query;
    const first = this.#method;
    if (await this.#tryWith(first, path, options.signal)) return;
    const second = first === "PUT" ? "GET" : "PUT";
    if (await this.#tryWith(second, path, options.signal)) return;
    throw new ParallelsError("failed", `the service has no route ${path}, neither for PUT nor for GET`, {
      status: 404,
    });
  }

  /** Whether the service has the route for this method; if so, the change is done, or the refusal is thrown. */
  async #tryWith(method: Method, path: string, signal: AbortSignal | undefined): Promise<boolean> {
    const call = { method, path, limitMs: this.#client.limits.changeMs, signal };
    const answer = await this.#client.exchange(call);
    if (isRouteMissing(answer)) return false;
    this.#method = method;
    this.#client.requireSuccess(call, answer);
    return true;
  }
}
