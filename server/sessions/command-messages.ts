/** What is to be done, in the words of the link. */
import { assertNever } from "../../shared/assert.ts";
import type * as wire from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { type CommandId, hostVmName } from "../../shared/ids.ts";
import type { CatalogSource } from "../pool/catalog.ts";
import type { CommandReport } from "../pool/events/host-reports.ts";
import type { ImagePrefetch } from "../pool/image-prefetch.ts";
import type { ImageVersion } from "../pool/image-purge.ts";
import { hostLeaseMs } from "../pool/lease.ts";
import type { CatalogCredentials, CatalogRecord } from "../pool/template.ts";
import type { PoolView } from "../pool/view.ts";
import type { CommandKind, Readiness, VmCommand, VmRecord } from "../pool/vm.ts";
import type { HostCall } from "./host-calls.ts";
import { changeSilenceMs, createSilenceMs, startSilenceMarginMs } from "./limits.ts";

/** A message without the epoch, which belongs to the session that it goes down. */
export type CommandMessage = Omit<wire.Command, "epoch">;

/** A command of the pool's as a message, or why it can never be one. */
export type WrittenCommand =
  | { readonly kind: "message"; readonly message: CommandMessage }
  | { readonly kind: "impossible"; readonly failure: NonNullable<CommandReport["failure"]> };

/** What a catalog is shown, or why that cannot be had. */
export type OpenCredentials = (catalog: CatalogRecord) => CatalogCredentials | undefined | { readonly fault: string };

interface CommandToWrite {
  readonly vm: VmRecord;
  readonly command: VmCommand;
  /** The pool's time: leases are told as what is left of them. */
  readonly nowMs: number;
  readonly openCredentials: OpenCredentials;
}

/**
 * Looks up in the view what the VM's record only names: a catalog's address and credentials, the VM to copy.
 */
export function writeCommand(view: PoolView, { vm, command, nowMs, openCredentials }: CommandToWrite): WrittenCommand {
  const action =
    command.kind === "create" ? createAction(view, vm, openCredentials) : changeAction(vm, command.kind, command.force);
  if (typeof action === "string") return impossible(action);
  return {
    kind: "message",
    message: {
      id: command.id,
      vmUid: vm.uid,
      generation: command.generation,
      silenceLimitMs: silenceLimitMs(command.kind, readinessOf(vm)),
      hostVmName: nameOnHost(vm),
      hostVmId: vm.sight?.id ?? "",
      leaseMs: hostLeaseMs(vm, nowMs),
      action,
    },
  };
}

/** Until when the VM may live on its host. */
export function writeLease(vm: VmRecord, nowMs: number): wire.Lease {
  return {
    vmUid: vm.uid,
    hostVmName: nameOnHost(vm),
    leaseMs: hostLeaseMs(vm, nowMs),
    // What the host was told last of the VM: a newer one could have it refuse a command that is sent again.
    generation: vm.command?.generation ?? vm.observedGeneration,
  };
}

/** Removes a VM that is no VM of the pool's any more. */
export function writeRemoval(id: CommandId, hostVmId: string): CommandMessage {
  return {
    id,
    vmUid: "",
    generation: 0,
    silenceLimitMs: changeSilenceMs,
    hostVmName: "",
    hostVmId,
    leaseMs: 0,
    action: { $case: "delete", delete: { force: true } },
  };
}

/** Removes an image from the host's cache. */
export function writePurge(id: CommandId, { catalogId, version }: ImageVersion): CommandMessage {
  return {
    id,
    vmUid: "",
    generation: 0,
    silenceLimitMs: changeSilenceMs,
    hostVmName: "",
    hostVmId: "",
    leaseMs: 0,
    action: { $case: "purgeImage", purgeImage: { catalogId, version } },
  };
}

/** Has an image pulled, by way of a VM that passes through. */
export function writePrefetch(view: PoolView, { prefetch, id, openCredentials }: PrefetchToWrite): WrittenCommand {
  const image = catalogImage(view, prefetch.source, openCredentials);
  if (typeof image === "string") return impossible(image);
  return {
    kind: "message",
    message: {
      id,
      vmUid: "",
      generation: 0,
      silenceLimitMs: createSilenceMs,
      hostVmName: hostVmName(prefetch.uid, 1),
      hostVmId: "",
      leaseMs: 0,
      action: { $case: "prefetchImage", prefetchImage: { image, architecture: prefetch.architecture } },
    },
  };
}

interface PrefetchToWrite {
  readonly prefetch: ImagePrefetch;
  readonly id: CommandId;
  readonly openCredentials: OpenCredentials;
}

export function writeCall(id: CommandId, call: HostCall, timeoutMs: number): CommandMessage {
  return {
    id,
    vmUid: "",
    generation: 0,
    silenceLimitMs: Math.ceil(timeoutMs),
    hostVmName: "",
    hostVmId: call.hostVmId,
    leaseMs: 0,
    action: callAction(call, timeoutMs),
  };
}

/** A VM that was adopted keeps the name that it has on its host. */
function nameOnHost(vm: VmRecord): string {
  const { source } = vm.image;
  return source.kind === "adopted" ? (vm.sight?.name ?? source.name) : hostVmName(vm.uid, vm.attempt);
}

function impossible(message: string): WrittenCommand {
  return { kind: "impossible", failure: { reason: "SourceGone", message, suspect: "request", isRetryable: false } };
}

type Action = NonNullable<wire.Command["action"]>;

/** A sentence says why it cannot be made. */
function createAction(view: PoolView, vm: VmRecord, openCredentials: OpenCredentials): Action | string {
  const source = createSource(view, vm, openCredentials);
  if (typeof source === "string") return source;
  return {
    $case: "create",
    create: {
      source,
      resources: { ...vm.resources },
      architecture: vm.image.architecture,
      macos: vm.image.guestOs === "macos",
    },
  };
}

function createSource(
  view: PoolView,
  vm: VmRecord,
  openCredentials: OpenCredentials,
): NonNullable<wire.CreateAction["source"]> | string {
  const { source } = vm.image;
  switch (source.kind) {
    case "catalog": {
      const catalog = catalogImage(view, source, openCredentials);
      return typeof catalog === "string" ? catalog : { $case: "catalog", catalog };
    }
    case "host-vm":
      return { $case: "hostVm", hostVm: source.vmName };
    case "clone": {
      const original = view.vms.get(source.vm);
      // By then another VM may have the name.
      if (original === undefined || original.uid !== source.uid || original.state === "DELETED") {
        return `vms/${source.vm}, of which this is a copy, has been deleted`;
      }
      return { $case: "hostVm", hostVm: original.sight?.id ?? nameOnHost(original) };
    }
    case "adopted":
      return `vms/${vm.id} was adopted: nobody knows how to make it again`;
    default:
      return assertNever(source, "source of an image");
  }
}

/** A sentence says why it cannot be had. */
function catalogImage(
  view: PoolView,
  source: CatalogSource,
  openCredentials: OpenCredentials,
): wire.CatalogImage | string {
  const catalog = view.catalogs.get(source.catalog);
  if (catalog === undefined) return `catalogs/${source.catalog} has been deleted; create it again`;
  const credentials = openCredentials(catalog);
  if (credentials !== undefined && "fault" in credentials) {
    return `the credentials of catalogs/${source.catalog} cannot be opened; give them again`;
  }
  return {
    catalogId: source.catalogId,
    version: source.version,
    url: catalog.spec.url,
    username: credentials?.username ?? "",
    password: credentials?.password ?? "",
    apiKey: credentials?.apiKey ?? "",
  };
}

function changeAction(vm: VmRecord, kind: Exclude<CommandKind, "create">, force: boolean): Action {
  switch (kind) {
    case "start":
      return { $case: "start", start: { readiness: writeReadiness(readinessOf(vm)) } };
    case "resume":
      return { $case: "resume", resume: { readiness: writeReadiness(readinessOf(vm)) } };
    case "restart":
      return { $case: "restart", restart: { readiness: writeReadiness(readinessOf(vm)) } };
    case "reset":
      return { $case: "reset", reset: { readiness: writeReadiness(readinessOf(vm)) } };
    default:
      return plainAction(kind, force);
  }
}

function callAction(call: HostCall, timeoutMs: number): Action {
  switch (call.kind) {
    case "exec":
      return {
        $case: "exec",
        exec: { command: [...call.command], env: { ...call.env }, timeoutMs: Math.ceil(timeoutMs) },
      };
    // Nobody has said how a VM that is not the pool's proves that it is ready: being powered on is enough.
    case "start":
      return { $case: "start", start: { readiness: undefined } };
    case "resume":
      return { $case: "resume", resume: { readiness: undefined } };
    case "restart":
      return { $case: "restart", restart: { readiness: undefined } };
    case "reset":
      return { $case: "reset", reset: { readiness: undefined } };
    default:
      return plainAction(call.kind, call.force);
  }
}

function plainAction(kind: "stop" | "suspend" | "pause" | "delete", force: boolean): Action {
  switch (kind) {
    case "stop":
      return { $case: "stop", stop: { force } };
    case "suspend":
      return { $case: "suspend", suspend: {} };
    case "pause":
      return { $case: "pause", pause: {} };
    case "delete":
      return { $case: "delete", delete: { force } };
    default:
      return assertNever(kind, "command");
  }
}

function readinessOf(vm: VmRecord): Readiness {
  return vm.spec.readiness ?? vm.image.readiness;
}

function writeReadiness(readiness: Readiness): wire.Readiness {
  return {
    probe: writeProbe(readiness.probe),
    periodMs: Math.ceil(readiness.periodMs),
    timeoutMs: Math.ceil(readiness.timeoutMs),
  };
}

function writeProbe(probe: Readiness["probe"]): wire.Readiness["probe"] {
  switch (probe.kind) {
    case "none":
      return undefined;
    case "guest-tools":
      return { $case: "guestTools", guestTools: true };
    case "exec":
      return { $case: "exec", exec: probe.command };
    case "tcp-port":
      return { $case: "tcpPort", tcpPort: probe.port };
    default:
      return assertNever(probe, "probe");
  }
}

function silenceLimitMs(kind: CommandKind, readiness: Readiness): number {
  switch (kind) {
    case "create":
      return createSilenceMs;
    case "start":
    case "resume":
    case "restart":
    case "reset":
      return Math.ceil(readiness.timeoutMs) + startSilenceMarginMs;
    case "stop":
    case "suspend":
    case "pause":
    case "delete":
      return changeSilenceMs;
    default:
      return assertNever(kind, "command");
  }
}
