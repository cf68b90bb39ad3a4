/**
 * Clients of the pool: they create one or many, copy, adopt, change, renew and delete VMs, and operators cordon, drain, label and remove
 * hosts, at random. Their calls take their time, answers get lost, and what got no answer is asked again: a create under its
 * request id.
 */
import type { EngineApi } from "../../server/engine/engine-api.ts";
import type { PoolEvent } from "../../server/pool/events.ts";
import type { VmRecord } from "../../server/pool/vm.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Random } from "../../simulator/random.ts";
import type { AnsweredCall } from "./answer-rules.ts";
import { ClientRequests } from "./client-requests.ts";
import { OperatorRequests } from "./operator-requests.ts";
import { pick } from "./pick.ts";
import type { World } from "./world.ts";

/** VMs that are not deleted at one time: a little more than the Macs can hold. */
const vmsMax = 20;
/** How often a call without an answer is repeated. */
const attemptsMax = 20;
const answerLimitMs = 5_000;

/** What a client asks for; `make` gives the event of each of its tries. */
export interface ClientCall {
  /** The same in all tries, if it makes something. */
  readonly requestId?: string;
  readonly make: (attempt: number) => PoolEvent;
}

export class Clients {
  /** How many calls of each kind were made. */
  readonly callCounts = new Map<string, number>();
  /** How many answers got lost. */
  lostCount = 0;
  readonly #world: World;
  readonly #random: Random;
  readonly #requests: ClientRequests;
  readonly #operator: OperatorRequests;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random("clients");
    this.#requests = new ClientRequests(world, this.#random);
    this.#operator = new OperatorRequests(world, this.#random);
  }

  /** Does one thing. */
  act(): void {
    const roll = this.#random.fraction();
    const alive = this.#aliveVms();
    if (roll < 0.36 && alive.length < vmsMax) this.#call(this.#requests.create());
    else if (roll < 0.4 && alive.length < vmsMax) this.#call(this.#requests.createBatch());
    else if (roll < 0.64) this.#onOne(alive, (vm) => this.#requests.delete(vm));
    else if (roll < 0.76) this.#wantAndRenew(alive);
    else if (roll < 0.87) this.#onOne(alive.filter(hasLease), (vm) => this.#requests.renew(vm));
    else if (roll < 0.9) this.#onOne(alive.filter(isStopped), (vm) => this.#requests.copy(vm));
    else if (roll < 0.95) this.#call(this.#requests.adopt());
    else this.#call(this.#operator.act());
  }

  /** Takes back what operators did, so that everything can settle. */
  uncordonAll(): void {
    for (const host of this.#world.hosts) this.#call(this.#operator.uncordon(host.id));
  }

  /** Removes the host's record, and gives up what stands there. */
  removeHost(id: string): void {
    this.#call(this.#operator.remove(id));
  }

  deleteAll(): void {
    for (const { id } of this.#aliveVms()) {
      this.#call({ make: () => ({ type: "vm-want", id, wanted: "deleted", force: true }) });
    }
  }

  #aliveVms(): readonly VmRecord[] {
    const { view } = this.#world.server;
    return view === undefined ? [] : [...view.vms.values()].filter((vm) => vm.spec.wanted !== "deleted");
  }

  /** Who changes a VM often renews it as well, before there is an answer. */
  #wantAndRenew(alive: readonly VmRecord[]): void {
    const vm = pick(this.#random, alive);
    if (vm === undefined) return;
    this.#call(this.#requests.want(vm));
    if (hasLease(vm) && this.#random.chance(0.3)) this.#call(this.#requests.renew(vm));
  }

  #onOne(vms: readonly VmRecord[], request: (vm: VmRecord) => ClientCall): void {
    const vm = pick(this.#random, vms);
    if (vm !== undefined) this.#call(request(vm));
  }

  #call(call: ClientCall | undefined): void {
    if (call === undefined) return;
    const { scheduler } = this.#world;
    let isAnswered = false;
    let firstSentMs: number | undefined;
    const attempt = (count: number): void => {
      if (isAnswered || count > attemptsMax) return;
      const event = call.make(count);
      if (count === 1) this.callCounts.set(event.type, (this.callCounts.get(event.type) ?? 0) + 1);
      scheduler.after(this.#random.between(0.1, 20), () => {
        const { engine } = this.#world.server;
        if (engine !== undefined) {
          const sentMs = scheduler.nowMs;
          firstSentMs ??= sentMs;
          const sent = { event, requestId: call.requestId, sentMs, firstSentMs };
          void this.#submit(engine, sent).then((hasAnswered) => {
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
  async #submit(engine: EngineApi, sent: AnsweredCall): Promise<boolean> {
    const { history, scheduler, server, rules } = this.#world;
    const { event } = sent;
    try {
      if (event.type === "project-update") rules.granted.onQuotaAsked(event.id, event.spec.quota);
      const reply = await engine.submit(event);
      if (!server.isCurrent(engine)) return false;
      if (event.type === "project-update") rules.granted.onQuotaSet(event.id, event.spec.quota);
      if (typeof reply === "object" && "image" in reply) {
        history.note(scheduler.nowMs, `client: ${event.type} of ${reply.id} answered`);
        rules.onAnswered([reply], sent);
      } else if (typeof reply === "object" && "refusedCount" in reply) {
        history.note(scheduler.nowMs, `client: ${event.type} of ${reply.vms.map(({ id }) => id).join()} answered`);
        rules.onAnswered(reply.vms, sent);
      }
      return true;
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      if (error.code === "UNAVAILABLE") return false;
      if (server.isCurrent(engine)) rules.onRefused(sent);
      return true;
    }
  }
}

function hasLease(vm: VmRecord): boolean {
  return vm.spec.leaseDurationMs !== undefined;
}

function isStopped(vm: VmRecord): boolean {
  return vm.state === "STOPPED";
}
