/**
 * The agent's port to Parallels, straight on the model of a Mac: no sockets, no JSON, and no timers while nothing happens,
 * so that ten thousand Macs fit into one process and a simulation owns all time. It keeps the port's promises; what only a
 * wire can do wrong (tokens, verbs, silent sockets that are noticed by their missing pings) is left to the HTTP front.
 */
import {
  type CreateFromCatalog,
  type ExecuteRequest,
  type ParallelsApi,
  ParallelsError,
  type ParallelsErrorKind,
} from "../agent/parallels/api.ts";
import { subscribeInMemory } from "./in-memory-subscription.ts";
import { toCachedManifest, toHardware, toParallelsJob, toParallelsVm } from "./in-memory-views.ts";
import type { SimulatedMac } from "./mac.ts";
import { ServiceError, type ServiceErrorKind } from "./service-error.ts";

/** Reading takes no longer than this; what `prlctl` does may take its own three minutes and the look-up before it. */
const readLimitMs = 30_000;
const actLimitMs = 200_000;

export function createInMemoryApi(mac: SimulatedMac): ParallelsApi {
  const caller = new Caller(mac);
  const read = <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    caller.call(work, { limitMs: readLimitMs, signal });
  const act = <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    caller.call(work, { limitMs: actLimitMs, signal });

  return {
    readHardware: (signal) =>
      read(async () => {
        await mac.faults.pass("hardware");
        return toHardware(mac);
      }, signal),
    readDiskSpace: (signal) =>
      read(async () => {
        await mac.faults.pass("diskSpace");
        return { freeMib: Math.floor(mac.diskFreeMib), totalMib: mac.facts.diskMib };
      }, signal),
    readLicence: (signal) =>
      read(async () => {
        await mac.faults.pass("licence");
        return { state: mac.licence, isValid: mac.licence === "valid", hardwareId: `simulated-${mac.facts.index}` };
      }, signal),
    listVms: (signal) => read(async () => (await mac.listVms()).map((vm) => toParallelsVm(vm, mac)), signal),
    listCachedImages: (signal) => read(async () => (await mac.cachedImages()).map(toCachedManifest), signal),
    removeCachedImage: ({ catalogId, version }, signal) =>
      act(() => mac.removeCachedImages(catalogId, version), signal),

    changeState: (vmId, verb, options = {}) =>
      act(async () => {
        await mac.changeState(vmId, verb, options.force ?? false);
      }, options.signal),
    deleteVm: (vmId, { force, signal }) => act(() => deleteIfThere(mac, vmId, force), signal),
    cloneVm: (vmId, cloneName, signal) => act(() => cloneWithOwnAddress(mac, vmId, cloneName), signal),
    configureVm: (vmId, change, signal) =>
      act(
        () => mac.configureVm(vmId, [...toSetting("cpu", change.cpuCount), ...toSetting("memory", change.memoryMib)]),
        signal,
      ),
    beginCreate: (request, signal) =>
      read(async () => {
        await mac.beginCreate(
          {
            name: request.name,
            catalogId: request.catalogId,
            version: request.version,
            connection: toConnection(request),
            startOnCreate: false,
          },
          request.jobId,
        );
      }, signal),
    readJob: (jobId, signal) =>
      read(async () => {
        await mac.faults.pass("jobs");
        const job = mac.jobs.find(jobId);
        return job === undefined ? undefined : toParallelsJob(job);
      }, signal),
    execute: (vmId, request) =>
      caller.call(
        async () => {
          const { stdout, stderr, exitCode } = await mac.execute(vmId, toCommandLine(request));
          return { stdout, stderr, exitCode };
        },
        { limitMs: request.timeoutMs, signal: request.signal },
      ),

    subscribe: (listener) => caller.own(subscribeInMemory(mac, listener)),
    close: async () => caller.close(),
  };
}

interface CallOptions {
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Gives every call its limit, its signal and the port's errors. */
class Caller {
  readonly #mac: SimulatedMac;
  readonly #closing = new Set<(error: Error) => void>();
  readonly #owned = new Set<{ close(): void }>();
  #isClosed = false;

  constructor(mac: SimulatedMac) {
    this.#mac = mac;
  }

  async call<T>(work: () => Promise<T>, { limitMs, signal }: CallOptions): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isClosed || !this.#mac.isServiceUp) throw new ParallelsError("unreachable", "nobody answers");
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const limit = this.#mac.clock.after(limitMs, () => reject(new ParallelsError("timed-out", "no answer in time")));
    const onAbort = (): void => reject(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#closing.add(reject);
    try {
      const result = await Promise.race([work(), ended]);
      if (!this.#mac.isServiceUp) throw new ParallelsError("timed-out", "the answer did not come through");
      return result;
    } catch (error) {
      throw error instanceof ServiceError ? toParallelsError(error) : error;
    } finally {
      limit.cancel();
      signal?.removeEventListener("abort", onAbort);
      this.#closing.delete(reject);
    }
  }

  /** Closes it with everything else. */
  own(subscription: { close(): void }): { close(): void } {
    this.#owned.add(subscription);
    return {
      close: () => {
        subscription.close();
        this.#owned.delete(subscription);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const subscription of this.#owned) subscription.close();
    for (const reject of this.#closing) reject(new ParallelsError("unreachable", "closed"));
  }
}

const kinds: Readonly<Record<ServiceErrorKind, ParallelsErrorKind>> = {
  "vm-unknown": "vm-not-found",
  "state-forbids": "state-not-allowed",
  "macos-limit": "macos-limit",
  "disk-full": "disk-full",
  "name-taken": "name-taken",
  catalog: "catalog",
  other: "failed",
};

function toParallelsError(error: ServiceError): ParallelsError {
  return new ParallelsError(kinds[error.kind], error.message, { status: error.status, cause: error });
}

/** What is not there is deleted. */
async function deleteIfThere(mac: SimulatedMac, vmId: string, force: boolean): Promise<void> {
  try {
    await mac.deleteVm(vmId, force);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.kind !== "vm-unknown") throw error;
  }
}

/** The service gives the source a new MAC address, so the copy is given one here. */
async function cloneWithOwnAddress(mac: SimulatedMac, vmId: string, cloneName: string): Promise<string> {
  const clone = await mac.cloneVm(vmId, cloneName);
  const options = [{ flag: "mac", value: "auto" }];
  await mac.configureVm(clone.id, [{ group: "device", operation: "set", value: "net0", options }]);
  return clone.id;
}

function toSetting(group: "cpu" | "memory", value: number | undefined) {
  return value === undefined ? [] : [{ group, operation: "set", value: String(value), options: [] }];
}

function toConnection({ apiKey, username, password, url }: CreateFromCatalog): string {
  if (apiKey !== undefined) return `host=${apiKey}@${url}`;
  return username === undefined ? `host=${url}` : `host=${username}:${password ?? ""}@${url}`;
}

/** Every word in quotes, so that the guest's shell changes none. */
function toCommandLine({ command, env = {} }: ExecuteRequest): string {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`);
  return [...(assignments.length > 0 ? ["env", ...assignments] : []), ...command.map(quote)].join(" ");
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
