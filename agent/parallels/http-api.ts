/**
 * The port to the real local service, over HTTP and WebSocket. This file only puts the parts together: each call's request
 * and answer stand beside each other in the files that it names, all of them on one `ServiceClient`.
 */
import type { Logger } from "pino";
import { assert } from "../../shared/assert.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { type IdSource, randomIds } from "../../shared/ids.ts";
import { silentLogger } from "../../shared/log.ts";
import {
  type CachedVersion,
  type DiskSpace,
  type ParallelsApi,
  ParallelsError,
  type ParallelsJob,
  type ParallelsListener,
} from "./api.ts";
import { parseBaseUrl } from "./base-url.ts";
import { type Credentials, prepareLogin } from "./credentials.ts";
import { EventSubscription } from "./event-subscription.ts";
import { GuestExecution } from "./guest-execution.ts";
import { decodeCache, decodeFreeDiskMib, decodeHardware, decodeHomeDiskSpace, decodeLicence } from "./host-decoders.ts";
import { decodeJob } from "./job-decoder.ts";
import { pathOf, ServiceClient } from "./service-client.ts";
import { StateVerbs } from "./state-verbs.ts";
import { defaultTimeLimits, type TimeLimits } from "./time-limits.ts";
import { beginCreate, cloneVm, configureVm, deleteVm } from "./vm-changes.ts";
import { decodeVms } from "./vm-decoder.ts";

export interface HttpParallelsApiOptions {
  /** Such as `http://127.0.0.1:3080`; with a prefix such as `/api`, or without one for the service's default. */
  readonly baseUrl: string;
  readonly credentials: Credentials;
  /** The macOS user who owns new VMs. Default: the service's own. */
  readonly owner?: string;
  /** The folder of new VMs, an absolute path on the Mac. Default: the owner's own. */
  readonly vmFolder?: string;
  /** Time limits that differ from `defaultTimeLimits`. */
  readonly limits?: Partial<TimeLimits>;
  readonly clock?: Clock;
  /** Where the jitter of reconnects comes from. */
  readonly ids?: IdSource;
  readonly log?: Logger;
}

/** Connects to nothing yet. Throws a `ParallelsError` when the address or the credentials cannot be right. */
export function createHttpParallelsApi(options: HttpParallelsApiOptions): ParallelsApi {
  const { clock = systemClock, ids = randomIds, log = silentLogger, owner = "", vmFolder = "" } = options;
  const address = parseBaseUrl(options.baseUrl);
  const limits = { ...defaultTimeLimits, ...options.limits };
  const client = new ServiceClient({ address, login: prepareLogin(options.credentials), limits, clock, log });
  const verbs = new StateVerbs(client);
  const execution = new GuestExecution(client, clock);
  const subscriptions = new Set<EventSubscription>();
  const read = (path: string, signal: AbortSignal | undefined): Promise<unknown> =>
    client.callJson({ method: "GET", path, limitMs: limits.readMs, signal });

  return {
    readHardware: async (signal) => decodeHardware(await read("/config/hardware", signal)),
    readDiskSpace: (signal) => readDiskSpace(client, { owner, vmFolder, signal }),
    readLicence: async (signal) => decodeLicence(await read("/config/parallels-desktop/license", signal)),
    listVms: async (signal) => decodeVms(await read("/machines", signal)),
    listCachedImages: async (signal) => decodeCache(await read("/cache", signal)),
    removeCachedImage: (image, signal) => removeCachedImage(client, image, signal),
    changeState: (vmId, verb, change) => verbs.change(vmId, verb, change),
    deleteVm: (vmId, removal) => deleteVm(client, vmId, removal),
    cloneVm: (vmId, cloneName, signal) => cloneVm(client, vmId, { cloneName, signal }),
    configureVm: (vmId, change, signal) => configureVm(client, vmId, { change, signal }),
    beginCreate: (request, signal) => beginCreate(client, request, { owner, vmFolder, signal }),
    readJob: (jobId, signal) => readJob(client, jobId, signal),
    execute: (vmId, request) => execution.execute(vmId, request),
    subscribe(listener: ParallelsListener) {
      const subscription: EventSubscription = new EventSubscription({
        address,
        client,
        listener,
        clock,
        ids,
        log,
        onClosed: () => subscriptions.delete(subscription),
      });
      subscriptions.add(subscription);
      return subscription;
    },
    async close() {
      for (const subscription of subscriptions) subscription.close();
      await client.close();
    },
  };
}

async function removeCachedImage(
  client: ServiceClient,
  { catalogId, version }: CachedVersion,
  signal: AbortSignal | undefined,
): Promise<void> {
  assert(catalogId !== "" && version !== "", "an image that is removed has an id and a version");
  const path = pathOf`/cache/${catalogId}/${version}`;
  await client.call({ method: "DELETE", path, limitMs: client.limits.deleteMs, signal });
}

/** Free space as measured where VMs are kept; the total comes from the hardware, when that is to be had. */
async function readDiskSpace(
  client: ServiceClient,
  options: { readonly owner: string; readonly vmFolder: string; readonly signal: AbortSignal | undefined },
): Promise<DiskSpace> {
  const { signal } = options;
  const limitMs = client.limits.readMs;
  const body = { username: options.owner, folder_path: options.vmFolder };
  const hardware = client
    .callJson({ method: "GET", path: "/config/hardware", limitMs, signal })
    .then(decodeHomeDiskSpace);
  const [free, home] = await Promise.allSettled([
    client.callJson({ method: "POST", path: "/config/diskspace", body, limitMs, signal }).then(decodeFreeDiskMib),
    hardware,
  ]);
  if (free.status === "fulfilled") {
    return { freeMib: free.value, totalMib: home.status === "fulfilled" ? home.value.totalMib : 0 };
  }
  if (home.status === "fulfilled" && home.value.totalMib > 0) return home.value;
  throw free.reason;
}

/** Nothing when the service does not know the job. A missing route is another thing: then nobody can know. */
async function readJob(
  client: ServiceClient,
  jobId: string,
  signal: AbortSignal | undefined,
): Promise<ParallelsJob | undefined> {
  const call = { method: "GET", path: pathOf`/jobs/${jobId}`, limitMs: client.limits.readMs, signal } as const;
  try {
    return decodeJob(await client.callJson(call), client.washer);
  } catch (error) {
    if (error instanceof ParallelsError && error.status === 404 && /job not found|no job/i.test(error.message))
      return undefined;
    throw error;
  }
}
