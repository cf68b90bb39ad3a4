/**
 * What agents say, in the pool's words. Everything is checked here and nowhere else: what comes out is within its bounds,
 * whatever came in. Throws `Unacceptable` for what cannot be taken; what cannot be right but does no harm is corrected.
 */
import * as wire from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { asCommandId, asHostId, type HostId, hostIdPattern } from "../../shared/ids.ts";
import type { DialNumber } from "../pool/dial.ts";
import type { CommandReport, HostInventory, HostUse } from "../pool/events/host-reports.ts";
import type { CachedImage, HostFacts, HostVm } from "../pool/host.ts";
import type { Architecture, Suspect, VmProgress } from "../pool/vm.ts";
import {
  addressesMax,
  commandReportsMax,
  conditionsMax,
  cpuCountMax,
  diskMibMax,
  etaMaxMs,
  hostVmsMax,
  imagesMax,
  labelLengthMax,
  labelsMax,
  macosGuestsMax,
  memoryMibMax,
  nameLengthMax,
  sentenceLengthMax,
  uptimeSecondsMax,
  wordLengthMax,
} from "./limits.ts";
import { refuseUnless } from "./unacceptable.ts";
import { amounts, bounded, count, id, text } from "./wire-values.ts";

/** Who an agent is, and all that it sees. */
export interface Introduction {
  readonly host: HostId;
  readonly facts: HostFacts;
  readonly bootId: string;
  readonly runId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: the agent does not count its dials. */
  readonly dial?: DialNumber;
  /** Absent: the agent could not list the Mac's VMs yet. */
  readonly inventory?: HostInventory;
  /** 0 without an inventory. */
  readonly inventorySequence: number;
  readonly use: HostUse;
  readonly commands: readonly CommandReport[];
}

export function readHello(hello: wire.Hello): Introduction {
  const { facts, inventory, heartbeat } = hello;
  refuseUnless(
    hostIdPattern.test(hello.hostId),
    "host_id is no host id: lower-case letters, digits, - and ., at most 63",
  );
  refuseUnless(facts !== undefined, "facts are missing");
  refuseUnless(heartbeat !== undefined, "heartbeat is missing");
  refuseUnless(inventory?.whole !== false, "the first inventory is not whole");
  return {
    host: asHostId(hello.hostId),
    facts: readFacts(facts),
    bootId: text(hello.bootId, nameLengthMax),
    runId: text(hello.agentRunId, nameLengthMax),
    labels: readLabels(hello.labels),
    ...readDial(hello.dialNumber),
    ...(inventory === undefined ? {} : { inventory: readInventory(inventory) }),
    inventorySequence: inventory?.sequence ?? 0,
    use: readUse(heartbeat),
    commands: bounded(hello.commands, commandReportsMax, "commands").flatMap((update) => readReport(update) ?? []),
  };
}

/** A number without a series counts within nothing. */
function readDial(number: wire.DialNumber | undefined): { readonly dial?: DialNumber } {
  if (number === undefined || number.series === "") return {};
  const series = text(number.series, nameLengthMax);
  const { MAX_SAFE_INTEGER } = Number;
  return { dial: { series, run: count(number.run, MAX_SAFE_INTEGER), dial: count(number.dial, MAX_SAFE_INTEGER) } };
}

/** Kept lean: it is called for every heartbeat. */
export function readUse(heartbeat: wire.Heartbeat): HostUse {
  return {
    inUse: amounts(heartbeat.inUse),
    diskFreeMib: count(heartbeat.diskFreeMib, diskMibMax),
    diskTotalMib: count(heartbeat.diskTotalMib, diskMibMax),
    macosGuests: count(heartbeat.macosGuests, macosGuestsMax),
    conditions: bounded(heartbeat.conditions, conditionsMax, "conditions").map(readCondition),
  };
}

export function readInventory(inventory: wire.Inventory): HostInventory {
  const read = {
    isWhole: inventory.whole,
    vms: lastOfEach(bounded(inventory.vms, hostVmsMax, "VMs").map(readHostVm)),
    removedIds: bounded(inventory.removedIds, hostVmsMax, "removed VMs").map((removed) => id(removed, "a removed VM")),
  };
  const images = bounded(inventory.images, imagesMax, "images");
  return inventory.whole || inventory.imagesChanged ? { ...read, images: images.map(readImage) } : read;
}

/** Nothing, if it names no command or says nothing of it: such an update is ignored. */
export function readReport(update: wire.CommandUpdate): CommandReport | undefined {
  const state = reportStates.get(update.state);
  if (state === undefined || update.commandId === "") return undefined;
  return {
    commandId: asCommandId(id(update.commandId, "a command")),
    state,
    ...(update.progress === undefined ? {} : { progress: readProgress(update.progress) }),
    ...(update.failure === undefined ? {} : { failure: readFailure(update.failure) }),
    ...(update.vm === undefined ? {} : { vm: readHostVm(update.vm) }),
    ...(update.vmUnknown && update.vm === undefined ? { isVmUnknown: true } : {}),
  };
}

function readFacts(facts: wire.HostFacts): HostFacts {
  return {
    hardwareId: text(facts.hardwareId, nameLengthMax),
    architecture: readArchitecture(facts.architecture),
    chip: text(facts.chip, nameLengthMax),
    macosVersion: text(facts.macosVersion, wordLengthMax),
    parallelsVersion: text(facts.parallelsVersion, wordLengthMax),
    serviceVersion: text(facts.serviceVersion, wordLengthMax),
    licence: text(facts.licence, wordLengthMax),
    agentVersion: text(facts.agentVersion, wordLengthMax),
    total: {
      cpuCount: count(facts.cpuCount, cpuCountMax),
      memoryMib: count(facts.memoryMib, memoryMibMax),
      diskMib: count(facts.diskMib, diskMibMax),
    },
    reserved: amounts(facts.reserved),
    address: text(facts.address, nameLengthMax),
  };
}

function readArchitecture(architecture: string): Architecture {
  refuseUnless(
    architecture === "arm64" || architecture === "x86_64",
    `architecture "${text(architecture, wordLengthMax)}" is neither arm64 nor x86_64`,
  );
  return architecture;
}

function readLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = bounded(Object.entries(labels), labelsMax, "labels");
  for (const [key, value] of entries) {
    refuseUnless(
      key.length > 0 && key.length <= labelLengthMax && value.length <= labelLengthMax,
      `label "${text(key, labelLengthMax)}" is empty or longer than ${labelLengthMax} characters`,
    );
  }
  return Object.fromEntries(entries.map(([key, value]) => [text(key, labelLengthMax), text(value, labelLengthMax)]));
}

function readCondition(condition: wire.HostCondition): HostUse["conditions"][number] {
  return {
    type: text(condition.type, wordLengthMax),
    holds: condition.holds,
    reason: text(condition.reason, wordLengthMax),
    message: text(condition.message, sentenceLengthMax),
  };
}

function readHostVm(vm: wire.HostVm): HostVm {
  return {
    id: id(vm.id, `VM "${text(vm.name, nameLengthMax)}"`),
    name: text(vm.name, nameLengthMax),
    state: text(vm.state, wordLengthMax),
    os: text(vm.os, wordLengthMax),
    resources: amounts(vm.resources),
    ipAddresses: vm.ipAddresses.slice(0, addressesMax).map((address) => text(address, wordLengthMax)),
    isMacos: vm.macos,
    uptimeSeconds: count(vm.uptimeSeconds, uptimeSecondsMax),
  };
}

/** One VM for each id, as it was said last: an agent that says two things of one VM said the newer one last. */
function lastOfEach(vms: readonly HostVm[]): readonly HostVm[] {
  const byId = new Map(vms.map((vm) => [vm.id, vm]));
  return byId.size === vms.length ? vms : [...byId.values()];
}

function readImage(image: wire.CachedImage): CachedImage {
  return {
    catalogId: text(image.catalogId, nameLengthMax),
    version: text(image.version, wordLengthMax),
    architecture: text(image.architecture, wordLengthMax),
    sizeMib: count(image.sizeMib, diskMibMax),
  };
}

function readProgress(progress: wire.Progress): VmProgress {
  return {
    step: text(progress.step, wordLengthMax),
    percent: progress.percent > 0 ? Math.min(100, progress.percent) : 0,
    etaMs: count(progress.etaMs, etaMaxMs),
    message: text(progress.message, sentenceLengthMax),
  };
}

function readFailure(failure: wire.Failure): NonNullable<CommandReport["failure"]> {
  return {
    reason: text(failure.reason, wordLengthMax) || "Unknown",
    message: text(failure.message, sentenceLengthMax),
    suspect: suspects.get(failure.suspect) ?? "none",
    isRetryable: failure.retryable,
  };
}

/** The states that a report can have; an unspecified or newer one says nothing. */
const reportStates: ReadonlyMap<wire.CommandUpdate_State, CommandReport["state"]> = new Map([
  [wire.CommandUpdate_State.STATE_ACCEPTED, "ACCEPTED"],
  [wire.CommandUpdate_State.STATE_RUNNING, "RUNNING"],
  [wire.CommandUpdate_State.STATE_SUCCEEDED, "SUCCEEDED"],
  [wire.CommandUpdate_State.STATE_FAILED, "FAILED"],
  [wire.CommandUpdate_State.STATE_REFUSED, "REFUSED"],
]);

const suspects: ReadonlyMap<wire.Failure_Suspect, Suspect> = new Map([
  [wire.Failure_Suspect.SUSPECT_HOST, "host"],
  [wire.Failure_Suspect.SUSPECT_TEMPLATE, "template"],
  [wire.Failure_Suspect.SUSPECT_NETWORK, "network"],
  [wire.Failure_Suspect.SUSPECT_REQUEST, "request"],
  [wire.Failure_Suspect.SUSPECT_SERVER, "server"],
]);
