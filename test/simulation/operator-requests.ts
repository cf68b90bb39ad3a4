/** What operators ask of hosts, drawn from chance. */

import type { ProjectUpdate } from "../../server/pool/events/access.ts";
import type { HostDelete, HostUpdate } from "../../server/pool/events/hosts.ts";
import type { SettingsUpdate } from "../../server/pool/events/pool.ts";
import type { HostRecord, HostSpec } from "../../server/pool/host.ts";
import { asHostId } from "../../shared/ids.ts";
import type { Random } from "../../simulator/random.ts";
import type { ClientCall } from "./clients.ts";
import { drawQuota, drawSettings } from "./operator-choices.ts";
import { pick } from "./pick.ts";
import type { World } from "./world.ts";

export class OperatorRequests {
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  act(): ClientCall | undefined {
    const random = this.#random;
    const id = pick(random, this.#world.hosts)?.id;
    if (id === undefined) return undefined;
    const roll = random.fraction();
    if (roll < 0.25) return this.uncordon(id);
    if (roll < 0.35) return this.#change(id, (spec) => undrained(spec, false));
    if (roll < 0.5) return this.#drain(id);
    if (roll < 0.6) return this.#change(id, (spec) => this.#otherLimits(spec));
    if (roll < 0.65) return this.#delete(id, false);
    if (roll < 0.7) return this.remove(id);
    if (roll < 0.75) return { make: () => ({ type: "host-release", id: asHostId(id) }) };
    return roll < 0.9 ? this.#otherQuota() : this.#otherSettings();
  }

  #otherQuota(): ClientCall | undefined {
    const project = pick(this.#random, [...(this.#world.server.view?.projects.values() ?? [])]);
    if (project === undefined) return undefined;
    const quota = drawQuota(this.#random);
    const { generation: baseGeneration, id, spec } = project;
    return { make: (): ProjectUpdate => ({ type: "project-update", id, baseGeneration, spec: { ...spec, quota } }) };
  }

  #otherSettings(): ClientCall | undefined {
    const { ids, server } = this.#world;
    const record = server.view?.settingsRecord;
    const uid = record?.uid ?? ids.uid();
    const spec = { ...record?.spec, ...drawSettings(this.#random), hosts: record?.spec.hosts ?? {} };
    const baseGeneration = record?.generation ?? 0;
    return { make: (): SettingsUpdate => ({ type: "settings-update", uid, baseGeneration, spec }) };
  }

  uncordon(id: string): ClientCall | undefined {
    return this.#change(id, (spec) => undrained(spec, true));
  }

  /** By force. */
  remove(id: string): ClientCall | undefined {
    return this.#delete(id, true);
  }

  #drain(id: string): ClientCall | undefined {
    const { random, deadline } = { random: this.#random, deadline: this.#world.server.engine?.nowMs() };
    if (deadline === undefined) return undefined;
    const deadlineMs = Math.round(deadline + random.between(0, 90_000));
    const hasDeadline = random.chance(0.8);
    const end = random.chance(0.7) ? "uncordon" : "stay-cordoned";
    return this.#change(id, (spec) => ({
      ...spec,
      schedulable: false,
      // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
      drain: { reason: "simulated", then: end, ...(hasDeadline ? { deadlineMs } : {}) },
    }));
  }

  #otherLimits(spec: HostSpec): HostSpec {
    const random = this.#random;
    return {
      ...spec,
      labels: { zone: random.chance(0.5) ? "east" : "west" },
      reserved: { ...spec.reserved, cpuCount: random.chance(0.5) ? 0 : 2 },
      limits: {
        ...spec.limits,
        macosSlots: Math.floor(random.between(0, 3)),
        parallelCreates: Math.floor(random.between(1, 5)),
      },
    };
  }

  #change(id: string, change: (spec: HostSpec) => HostSpec): ClientCall | undefined {
    const host = this.#find(id);
    if (host === undefined) return undefined;
    const event: HostUpdate = {
      type: "host-update",
      id: host.id,
      baseGeneration: host.generation,
      spec: change(host.spec),
    };
    return { make: () => event };
  }

  #delete(id: string, force: boolean): ClientCall | undefined {
    const host = this.#find(id);
    if (host === undefined) return undefined;
    return { make: (): HostDelete => ({ type: "host-delete", id: host.id, force }) };
  }

  #find(id: string): HostRecord | undefined {
    return [...(this.#world.server.view?.hosts.values() ?? [])].find((host) => host.id === id);
  }
}

function undrained(spec: HostSpec, schedulable: boolean): HostSpec {
  const { drain: _, ...rest } = spec;
  return { ...rest, schedulable };
}
