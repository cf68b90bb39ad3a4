/** What clients ask of VMs, drawn from chance. */
import type { VmAdopt, VmBatchCreate, VmCreate, VmRenew, VmWant } from "../../server/pool/events/vms.ts";
import type { VmRecord, VmSpec, WantedState } from "../../server/pool/vm.ts";
import { asTemplateId, asVmId } from "../../shared/ids.ts";
import type { Random } from "../../simulator/random.ts";
import { type VmSpecFields, vmSpec } from "../support/pool/specs.ts";
import type { ClientCall } from "./clients.ts";
import { pick } from "./pick.ts";
import { projectNames, templateNames, type World } from "./world.ts";

export class ClientRequests {
  readonly #world: World;
  readonly #random: Random;
  #requestCount = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  create(): ClientCall {
    const template = pick(this.#random, templateNames) ?? "linux";
    return this.#createCall(this.#spec({ template: asTemplateId(template) }));
  }

  /** A copy of a VM that is stopped; by the time it is asked for, it may be something else. */
  copy(source: VmRecord): ClientCall {
    const { template } = source.spec;
    return this.#createCall(this.#spec({ template, sourceVm: source.id }));
  }

  /** Some VMs of one project at once. */
  createBatch(): ClientCall {
    const random = this.#random;
    const project = pick(random, ["default", "default", ...projectNames]) ?? "default";
    const fit = pick(random, ["wait", "all", "any"] as const) ?? "wait";
    const specs = Array.from({ length: Math.floor(random.between(2, 6)) }, () =>
      this.#spec({ template: asTemplateId(pick(random, templateNames) ?? "linux"), project }),
    );
    const { requestId, number } = this.#newRequest("BatchCreateVms");
    return {
      requestId,
      make: (attempt): VmBatchCreate => ({
        type: "vm-batch-create",
        vms: specs.map((spec, index) => ({
          id: asVmId(`vm-${number}-${attempt}-${fit}-${index}`),
          uid: this.#world.ids.uid(),
          spec,
        })),
        fit,
        request: { id: requestId, fingerprint: requestId },
      }),
    };
  }

  /** What a person has made on a Mac, or what is left of the pool's own. */
  adopt(): ClientCall | undefined {
    const { view } = this.#world.server;
    const found = [...(view?.hosts.values() ?? [])].flatMap((host) =>
      host.foreignVms
        .filter(({ name }) => !name.startsWith("golden-"))
        .map(({ id }) => ({ host: host.id, hostVm: id })),
    );
    const one = pick(this.#random, found);
    if (one === undefined) return undefined;
    const { requestId, number } = this.#newRequest("AdoptVm");
    // What stands there counts against its project, whether there is room in its quota or not.
    const { template: _, wanted: __, ...spec } = this.#spec({ project: "default" });
    return {
      requestId,
      make: (attempt): VmAdopt => ({
        type: "vm-adopt",
        id: asVmId(`vm-${number}-${attempt}`),
        uid: this.#world.ids.uid(),
        ...one,
        spec,
        request: { id: requestId, fingerprint: requestId },
      }),
    };
  }

  delete({ id }: VmRecord): ClientCall {
    const force = this.#random.chance(0.5);
    return { make: (): VmWant => ({ type: "vm-want", id, wanted: "deleted", force }) };
  }

  want({ id }: VmRecord): ClientCall {
    const random = this.#random;
    const wanted: WantedState =
      pick(random, ["running", "running", "stopped", "suspended", "paused"] as const) ?? "running";
    const isAction = wanted === "running" && random.chance(0.4);
    const event: VmWant = {
      type: "vm-want",
      id,
      wanted,
      force: random.chance(0.3),
      ...(isAction ? { action: random.chance(0.5) ? "restart" : "reset" } : {}),
    };
    return { make: () => event };
  }

  /** Never for a shorter time: a renewal that is applied late must not take away what a later one gave. */
  renew({ id, spec }: VmRecord): ClientCall {
    const longer = this.#random.chance(0.2) ? { leaseDurationMs: Math.round((spec.leaseDurationMs ?? 0) * 1.5) } : {};
    return { make: (): VmRenew => ({ type: "vm-renew", id, ...longer }) };
  }

  #createCall(spec: VmSpec): ClientCall {
    const { requestId, number } = this.#newRequest("CreateVm");
    return {
      requestId,
      // As the interface does it: each try has a uid of its own, and the server chooses a name.
      make: (attempt): VmCreate => ({
        type: "vm-create",
        id: asVmId(`vm-${number}-${attempt}`),
        uid: this.#world.ids.uid(),
        spec,
        request: { id: requestId, fingerprint: requestId },
      }),
    };
  }

  #newRequest(method: string): { readonly requestId: string; readonly number: number } {
    this.#requestCount += 1;
    return { requestId: `${method}/request-${this.#requestCount}`, number: this.#requestCount };
  }

  #spec(fields: VmSpecFields): VmSpec {
    const random = this.#random;
    const { pace } = this.#world;
    return vmSpec({
      project: pick(random, ["default", "default", ...projectNames]) ?? "default",
      wanted: random.chance(0.1) ? "stopped" : "running",
      priority: Math.floor(random.between(0, 101)),
      ...(random.chance(0.2) ? { pendingTimeoutMs: 60_000 } : {}),
      ...(random.chance(0.35) ? { leaseDurationMs: Math.round(random.between(15_000, 120_000) * pace) } : {}),
      ...(random.chance(0.1) ? { maxLifetimeMs: Math.round(random.between(30_000, 200_000) * pace) } : {}),
      ...(random.chance(0.6) ? { onHostLost: random.chance(0.7) ? "replace" : "fail" } : {}),
      ...(random.chance(0.3) ? { retryAttempts: random.chance(0.5) ? 1 : 2 } : {}),
      ...fields,
    });
  }
}
