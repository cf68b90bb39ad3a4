/**
 * Where several VMs would be placed, one after the other, if nothing else happened: played through on a pool in the mind, that
 * shares everything with the real one but what these VMs change of it.
 */
import type { HostId, VmId } from "../../shared/ids.ts";
import type { HostContact, HostRecord } from "../pool/host.ts";
import type { HostLedger } from "../pool/ledger.ts";
import type { ProjectLedger } from "../pool/project-ledgers.ts";
import { shapeOf } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { quotaRefusal } from "./quota.ts";
import { HostRankings } from "./rankings.ts";
import { countRefusals, describeRefusals } from "./refusal-counts.ts";

export interface Trial {
  /** For each VM its host, or nothing if it would fit nowhere. */
  readonly hosts: readonly (HostId | undefined)[];
  /** Why the first that fits nowhere does not. */
  readonly refusal: string;
}

/** @param vms as they would be accepted, in the order in which they are placed. */
export function tryPlacing(view: PlacementView, vms: readonly VmRecord[]): Trial {
  const trial = new TrialPool(view);
  const rankings = new HostRankings(trial);
  let refusal = "";
  const hosts = vms.map((vm) => {
    const shape = shapeOf(vm);
    const quota = quotaRefusal(trial, vm.spec.project, shape);
    const host = quota === undefined ? rankings.best(vm, shape) : undefined;
    if (host !== undefined) {
      trial.place(vm, host);
      rankings.noteMoved(host);
    } else if (refusal === "") {
      refusal =
        quota ??
        (trial.hosts.size === 0
          ? "no host has joined the pool"
          : describeRefusals(trial, countRefusals(trial, shape), shape));
    }
    return host;
  });
  return { hosts, refusal };
}

class TrialPool implements PlacementView {
  readonly hosts: PlacementView["hosts"];
  readonly vms: PlacementView["vms"];
  readonly projects: PlacementView["projects"];
  readonly settings: PlacementView["settings"];
  hostMoves: number;
  private readonly below: PlacementView;
  private readonly placed = new Map<VmId, VmRecord>();
  private readonly ledgers = new Map<HostId, HostLedger>();
  private readonly vmsByHost = new Map<HostId, Set<VmId>>();
  private readonly projectLedgers = new Map<string, ProjectLedger>();

  constructor(below: PlacementView) {
    this.below = below;
    this.hosts = withoutQuarantined(below.hosts);
    this.projects = below.projects;
    this.settings = below.settings;
    this.hostMoves = below.hostMoves;
    this.vms = { get: (id) => this.placed.get(id) ?? below.vms.get(id) };
  }

  contact(host: HostId): HostContact | undefined {
    return this.below.contact(host);
  }

  ledger(host: HostId): HostLedger {
    return this.ledgers.get(host) ?? this.below.ledger(host);
  }

  vmsOn(host: HostId): ReadonlySet<VmId> {
    return this.vmsByHost.get(host) ?? this.below.vmsOn(host);
  }

  projectLedger(project: string): ProjectLedger {
    return this.projectLedgers.get(project) ?? this.below.projectLedger(project);
  }

  place(vm: VmRecord, host: HostId): void {
    const placed: VmRecord = { ...vm, host, state: "PLACED" };
    const { project } = vm.spec;
    this.placed.set(vm.id, placed);
    this.ledgers.set(host, this.ledgers.get(host) ?? this.below.ledger(host).copy());
    this.ledgers.get(host)?.addVm(placed, 1);
    this.vmsByHost.set(host, this.vmsByHost.get(host) ?? new Set(this.below.vmsOn(host)));
    this.vmsByHost.get(host)?.add(vm.id);
    this.projectLedgers.set(project, this.projectLedgers.get(project) ?? this.below.projectLedger(project).copy());
    this.projectLedgers.get(project)?.add(placed, 1);
    this.hostMoves += 1;
  }
}

/** A host in quarantine is tried with one VM; a batch is not what it is tried with. */
function withoutQuarantined(hosts: PlacementView["hosts"]): PlacementView["hosts"] {
  const isQuarantined = ({ trouble }: HostRecord): boolean => trouble?.quarantine !== undefined;
  if (![...hosts.values()].some(isQuarantined)) return hosts;
  return new Map([...hosts].filter(([, host]) => !isQuarantined(host)));
}
