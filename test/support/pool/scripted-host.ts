/**
 * A host as a test plays it: it keeps the VMs that it was told to make, carries out each command as soon as it is durable,
 * and reports. What it does with a command can be scripted: for the next one of a kind, or for all that have no script of
 * their own.
 */

import type { EngineApi } from "../../../server/engine/engine-api.ts";
import type { CommandReport, HostConnected, HostInventory, HostUse } from "../../../server/pool/events/host-reports.ts";
import type { CachedImage, HostVm } from "../../../server/pool/host.ts";
import type { ImagePrefetch } from "../../../server/pool/image-prefetch.ts";
import type { ImagePurge } from "../../../server/pool/image-purge.ts";
import type { CommandKind, VmCommand, VmRecord } from "../../../server/pool/vm.ts";
import { required } from "../../../shared/assert.ts";
import { asCommandId, asHostId, type HostId, hostVmName } from "../../../shared/ids.ts";
import { changedInventory, goldenVm, hostConnected, hostUse, hostVm, wholeInventory } from "./hosts.ts";

/** What the host does with a command. */
export type Answer =
  /** Takes it on, and does it. */
  | { readonly kind: "succeed" }
  /** Says nothing; the test reports by `report`. */
  | { readonly kind: "hold" }
  /** Takes it on, and says nothing more. */
  | { readonly kind: "accept" }
  /** Never begins. */
  | { readonly kind: "refuse" }
  | {
      readonly kind: "fail";
      readonly isRetryable: boolean;
      /** In which state the VM is then; absent: as before, or not there. */
      readonly leaves?: string;
      /** Does not say how the VM is. */
      readonly isSilentAboutVm?: boolean;
      /** Could not look whether the VM is there. */
      readonly isVmUnknown?: true;
    };

export const succeed: Answer = { kind: "succeed" };
export const hold: Answer = { kind: "hold" };
export const accept: Answer = { kind: "accept" };
export const refuse: Answer = { kind: "refuse" };
export const failRetryably: Answer = { kind: "fail", isRetryable: true };
export const failForGood: Answer = { kind: "fail", isRetryable: false };

const stateAfter: Readonly<Record<Exclude<CommandKind, "delete">, string>> = {
  create: "stopped",
  start: "running",
  stop: "stopped",
  suspend: "suspended",
  resume: "running",
  pause: "paused",
  restart: "running",
  reset: "running",
};

export class ScriptedHost {
  readonly id: HostId;
  /** The epoch of the newest session; 0 before the first. */
  epoch = 0;
  isConnected = false;
  /** All VMs on it, by their names. */
  readonly vms = new Map<string, HostVm>();
  /** Every command that reached it, in order. */
  readonly received: VmCommand[] = [];
  /** The ids of the VMs of every removal that reached it, in order. */
  readonly removals: string[] = [];
  /** The images in its cache, and every order to remove one that reached it, as "IMAGE v1", in order. */
  images: readonly CachedImage[];
  readonly purges: string[] = [];
  /** Every order to pull one that reached it, and what it does with them. */
  readonly prefetches: string[] = [];
  onPrefetch: Answer = succeed;
  /** What it does with orders to remove images. */
  onPurge: Answer = succeed;
  private readonly engine: EngineApi;
  private readonly fields: Partial<HostConnected>;
  private readonly answers = new Map<CommandKind, Answer>();
  private readonly nextAnswers = new Map<CommandKind, Answer[]>();

  constructor(engine: EngineApi, name: string, fields: Partial<HostConnected> = {}) {
    this.engine = engine;
    this.id = asHostId(name);
    this.fields = fields;
    this.images = fields.inventory?.images ?? [];
    for (const vm of fields.inventory?.vms ?? [goldenVm()]) this.vms.set(vm.name, vm);
  }

  /** What it does with all commands of the kind from now on. */
  always(kind: CommandKind, answer: Answer): void {
    this.answers.set(kind, answer);
  }

  /** What it does with the next command of the kind; called again: with the one after. */
  next(kind: CommandKind, answer: Answer): void {
    this.nextAnswers.set(kind, [...(this.nextAnswers.get(kind) ?? []), answer]);
  }

  /** The kinds of the commands that reached it, in order. */
  get receivedKinds(): readonly CommandKind[] {
    return this.received.map(({ kind }) => kind);
  }

  /** Opens a session and tells all. */
  async connect(fields: Partial<HostConnected> = {}): Promise<void> {
    const inventory = wholeInventory([...this.vms.values()], { images: this.images });
    const host = await this.engine.submit(hostConnected(this.id, { ...this.fields, inventory, ...fields }));
    if (typeof host === "string") throw new Error(`${this.id} is refused: ${host}`);
    this.epoch = host.epoch;
    this.isConnected = true;
  }

  async disconnect(): Promise<boolean> {
    this.isConnected = false;
    return await this.engine.submit({ type: "host-disconnected", id: this.id, epoch: this.epoch });
  }

  async heartbeat(fields: Partial<HostUse> = {}): Promise<boolean> {
    return await this.engine.submit({ type: "host-heard", id: this.id, epoch: this.epoch, use: hostUse(fields) });
  }

  async tellInventory(inventory: HostInventory): Promise<boolean> {
    return await this.engine.submit({ type: "host-inventoried", id: this.id, epoch: this.epoch, inventory });
  }

  /** Someone changes a VM by hand, or it changes by itself, and the host tells. */
  async changeByHand(name: string, state: string): Promise<void> {
    const changed = { ...required(this.vms.get(name), `VM ${name}`), state };
    this.vms.set(name, changed);
    await this.tellInventory(changedInventory([changed]));
  }

  /** Someone removes a VM by hand, and the host tells. */
  async removeByHand(name: string): Promise<void> {
    const { id } = required(this.vms.get(name), `VM ${name}`);
    this.vms.delete(name);
    await this.tellInventory(changedInventory([], [id]));
  }

  /** Reports about the command that the VM has, or about any other id. */
  async report(
    command: { readonly id: string },
    state: CommandReport["state"],
    fields: Partial<CommandReport> = {},
  ): Promise<boolean> {
    const report: CommandReport = { commandId: asCommandId(command.id), state, ...fields };
    return await this.engine.submit({ type: "command-reported", hostId: this.id, epoch: this.epoch, report });
  }

  /** The host gets a command. */
  async receive(vm: VmRecord, command: VmCommand): Promise<void> {
    this.received.push(command);
    const answer = this.nextAnswers.get(command.kind)?.shift() ?? this.answers.get(command.kind) ?? succeed;
    if (answer.kind === "hold") return;
    if (answer.kind === "refuse") {
      await this.report(command, "REFUSED", { failure: { ...failureOf(command.kind), isRetryable: true } });
      return;
    }
    await this.report(command, "ACCEPTED");
    if (answer.kind === "accept") return;
    if (answer.kind === "succeed") await this.finish(vm, command);
    else await this.fail(vm, command, answer);
  }

  /** The host is to remove a VM that is nobody's; it does so as it is told to delete. */
  async receiveRemoval(id: string, commandId: string): Promise<void> {
    this.removals.push(id);
    const answer = this.nextAnswers.get("delete")?.shift() ?? this.answers.get("delete") ?? succeed;
    if (answer.kind === "hold") return;
    if (answer.kind === "fail") {
      const failure = { ...failureOf("delete"), isRetryable: answer.isRetryable };
      await this.report({ id: commandId }, "FAILED", { failure });
      return;
    }
    for (const vm of this.vms.values()) if (vm.id === id) this.vms.delete(vm.name);
    await this.report({ id: commandId }, "SUCCEEDED");
  }

  /** The host is to remove an image from its cache. */
  async receivePurge({ catalogId, version, commandId }: ImagePurge): Promise<void> {
    this.purges.push(`${catalogId} ${version}`);
    const command = { id: required(commandId, "command of a purge") };
    if (this.onPurge.kind === "hold") return;
    if (this.onPurge.kind === "refuse" || this.onPurge.kind === "fail") {
      const state = this.onPurge.kind === "refuse" ? "REFUSED" : "FAILED";
      const failure = { reason: "NoPurge", message: "it does not work", suspect: "host", isRetryable: true } as const;
      await this.report(command, state, { failure });
      return;
    }
    this.images = this.images.filter((image) => image.catalogId !== catalogId || image.version !== version);
    await this.report(command, "SUCCEEDED");
  }

  /** The host is to pull an image. */
  async receivePrefetch({ source: { catalogId, version }, architecture, commandId }: ImagePrefetch): Promise<void> {
    this.prefetches.push(`${catalogId} ${version}`);
    const command = { id: required(commandId, "command of a prefetch") };
    if (this.onPrefetch.kind === "hold") return;
    if (this.onPrefetch.kind === "refuse" || this.onPrefetch.kind === "fail") {
      const state = this.onPrefetch.kind === "refuse" ? "REFUSED" : "FAILED";
      const isRetryable = this.onPrefetch.kind === "refuse" || this.onPrefetch.isRetryable;
      const failure = { reason: "NoPull", message: "it does not work", suspect: "host", isRetryable } as const;
      await this.report(command, state, { failure });
      return;
    }
    this.images = [...this.images, { catalogId, version, architecture, sizeMib: 1 }];
    await this.tellInventory({ ...changedInventory([]), images: this.images });
    await this.report(command, "SUCCEEDED");
  }

  /** Does a command and reports its success. */
  async finish(vm: VmRecord, command: VmCommand): Promise<boolean> {
    const name = hostVmName(vm.uid, vm.attempt);
    if (command.kind === "delete") {
      this.vms.delete(name);
      return await this.report(command, "SUCCEEDED");
    }
    const done = this.put(vm, stateAfter[command.kind]);
    return await this.report(command, "SUCCEEDED", { vm: done });
  }

  private async fail(
    vm: VmRecord,
    command: VmCommand,
    { isRetryable, leaves, isSilentAboutVm, isVmUnknown }: Extract<Answer, { kind: "fail" }>,
  ): Promise<void> {
    const left = leaves === undefined ? this.vms.get(hostVmName(vm.uid, vm.attempt)) : this.put(vm, leaves);
    await this.report(command, "FAILED", {
      failure: { ...failureOf(command.kind), isRetryable },
      ...(left === undefined || isSilentAboutVm === true ? {} : { vm: left }),
      ...(isVmUnknown === undefined ? {} : { isVmUnknown }),
    });
  }

  private put(vm: VmRecord, state: string): HostVm {
    const name = hostVmName(vm.uid, vm.attempt);
    const shown = hostVm(name, {
      state,
      resources: vm.resources,
      isMacos: vm.image.guestOs === "macos",
      ipAddresses: state === "running" ? ["10.0.0.2"] : [],
    });
    this.vms.set(name, shown);
    return shown;
  }
}

function failureOf(kind: CommandKind) {
  return { reason: "Scripted", message: `the test made the ${kind} fail`, suspect: "host" } as const;
}
