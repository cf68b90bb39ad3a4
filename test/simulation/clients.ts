/**
 * Clients of the pool: they create, change and delete VMs, and cordon and drain hosts, at random. Their calls take their time,
 * answers get lost, and what got no answer is asked again: a create under its request id.
 */
import type { EngineApi } from "../../server/engine/engine-api.ts";
import type { HostUpdate, PoolEvent, VmCreate, VmWant } from "../../server/pool/events.ts";
import type { HostSpec } from "../../server/pool/host.ts";
import type { VmRecord, WantedState } from "../../server/pool/vm.ts";
import { MeridianError } from "../../shared/errors.ts";
import { asTemplateId, asVmId } from "../../shared/ids.ts";
import type { Random } from "../../simulator/random.ts";
import { vmSpec } from "../support/pool/specs.ts";
import { pick } from "./pick.ts";
import { templateNames, type World } from "./world.ts";

/** VMs that are not deleted at one time: a little more than the Macs can hold. */
const vmsMax = 20;
/** How often a call without an answer is repeated. */
const attemptsMax = 20;
const answerLimitMs = 5_000;

export class Clients {
  /** How many calls were made, and how many answers got lost. */
  callCount = 0;
  lostCount = 0;
  readonly #world: World;
  readonly #random: Random;
  #requestCount = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random("clients");
  }

  /** Does one thing. */
  act(): void {
    const roll = this.#random.fraction();
    const alive = this.#aliveVms();
    if (roll < 0.45 && alive.length < vmsMax) this.#create();
    else if (roll < 0.75) this.#delete(alive);
    else if (roll < 0.93) this.#want(alive);
    else this.#operate();
  }

  /** Takes back what operators did, so that everything can settle. */
  uncordonAll(): void {
    for (const host of this.#world.hosts) this.#changeHost(host.id, undefined);
  }

  deleteAll(): void {
    for (const vm of this.#aliveVms()) this.#send({ type: "vm-want", id: vm.id, wanted: "deleted", force: true });
  }

  #aliveVms(): readonly VmRecord[] {
    const { view } = this.#world.server;
    return view === undefined ? [] : [...view.vms.values()].filter((vm) => vm.spec.wanted !== "deleted");
  }

  #create(): void {
    const random = this.#random;
    this.#requestCount += 1;
    const requestId = `CreateVm/request-${this.#requestCount}`;
    const template = pick(random, templateNames) ?? "linux";
    const spec = vmSpec({
      template: asTemplateId(template),
      wanted: random.chance(0.1) ? "stopped" : "running",
      priority: Math.floor(random.between(0, 101)),
      ...(random.chance(0.2) ? { pendingTimeoutMs: 60_000 } : {}),
    });
    const number = this.#requestCount;
    this.#call(
      // As the interface does it: each try has a uid of its own, and the server chooses a name.
      (attempt): VmCreate => ({
        type: "vm-create",
        id: asVmId(`vm-${number}-${attempt}`),
        uid: this.#world.ids.uid(),
        spec,
        request: { id: requestId, fingerprint: requestId },
      }),
      requestId,
    );
  }

  #delete(alive: readonly VmRecord[]): void {
    const vm = pick(this.#random, alive);
    if (vm !== undefined)
      this.#send({ type: "vm-want", id: vm.id, wanted: "deleted", force: this.#random.chance(0.5) });
  }

  #want(alive: readonly VmRecord[]): void {
    const random = this.#random;
    const vm = pick(random, alive);
    if (vm === undefined) return;
    const wanted: WantedState =
      pick(random, ["running", "running", "stopped", "suspended", "paused"] as const) ?? "running";
    const isAction = wanted === "running" && random.chance(0.4);
    this.#send({
      type: "vm-want",
      id: vm.id,
      wanted,
      force: random.chance(0.3),
      ...(isAction ? { action: random.chance(0.5) ? "restart" : "reset" } : {}),
    });
  }

  #operate(): void {
    const random = this.#random;
    const host = pick(random, this.#world.hosts);
    if (host === undefined) return;
    const roll = random.fraction();
    if (roll < 0.5) this.#changeHost(host.id, undefined);
    else if (roll < 0.8) this.#changeHost(host.id, "cordon");
    else this.#changeHost(host.id, "drain");
  }

  #changeHost(id: string, how: "cordon" | "drain" | undefined): void {
    const { view, engine } = this.#world.server;
    const host = [...(view?.hosts.values() ?? [])].find((one) => one.id === id);
    if (host === undefined || engine === undefined) return;
    const { drain: _, ...spec } = host.spec;
    // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
    const drain = { deadlineMs: engine.nowMs() + 60_000, reason: "simulated", then: "uncordon" } as const;
    const changed: HostSpec = { ...spec, schedulable: how === undefined, ...(how === "drain" ? { drain } : {}) };
    this.#send({ type: "host-update", id: host.id, baseGeneration: host.generation, spec: changed });
  }

  #send(event: VmWant | HostUpdate): void {
    this.#call(() => event, undefined);
  }

  #call(make: (attempt: number) => VmCreate | VmWant | HostUpdate, requestId: string | undefined): void {
    this.callCount += 1;
    const { scheduler } = this.#world;
    let isAnswered = false;
    const attempt = (count: number): void => {
      if (isAnswered || count > attemptsMax) return;
      const event = make(count);
      scheduler.after(this.#random.between(0.1, 20), () => {
        const { engine } = this.#world.server;
        if (engine !== undefined) {
          void this.#submit(engine, event, requestId).then((hasAnswered) => {
            // An answer on its way may get lost.
            if (hasAnswered && this.#random.chance(0.15)) this.lostCount += 1;
            else isAnswered ||= hasAnswered;
          });
        }
      });
      scheduler.after(answerLimitMs, () => attempt(count + 1));
    };
    attempt(1);
  }

  /** Whether the server gave an answer that ends the call. */
  async #submit(engine: EngineApi, event: PoolEvent, requestId: string | undefined): Promise<boolean> {
    const { history, scheduler, server, rules } = this.#world;
    try {
      const reply = await engine.submit(event);
      if (!server.isCurrent(engine)) return false;
      if (typeof reply === "object" && "image" in reply) {
        history.note(scheduler.nowMs, `client: ${event.type} of ${reply.id} answered`);
        rules.onAnswered(reply, requestId);
      }
      return true;
    } catch (error) {
      if (error instanceof MeridianError) return error.code !== "UNAVAILABLE";
      throw error;
    }
  }
}
