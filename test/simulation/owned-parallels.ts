/** The local API as one process reaches it: when the process is over, nothing it asked for is answered to it any more. */
import type { ParallelsApi, ParallelsListener } from "../../agent/parallels/api.ts";
import type { Life } from "./life.ts";

/** @param onCall before each call that changes something is made, and after it was answered. */
export function ownParallels(
  api: ParallelsApi,
  life: Life,
  onCall: (moment: "before" | "after") => void,
): ParallelsApi {
  const read = <T>(work: () => Promise<T>): Promise<T> => life.outcome(life.isOver ? nothing() : work());
  const act = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!life.isOver) onCall("before");
    const answer = await read(work);
    onCall("after");
    return read(() => Promise.resolve(answer));
  };
  return {
    readHardware: (signal) => read(() => api.readHardware(signal)),
    readDiskSpace: (signal) => read(() => api.readDiskSpace(signal)),
    readLicence: (signal) => read(() => api.readLicence(signal)),
    listVms: (signal) => read(() => api.listVms(signal)),
    listCachedImages: (signal) => read(() => api.listCachedImages(signal)),
    removeCachedImage: (image, signal) => act(() => api.removeCachedImage(image, signal)),
    changeState: (vmId, verb, options) => act(() => api.changeState(vmId, verb, options)),
    deleteVm: (vmId, options) => act(() => api.deleteVm(vmId, options)),
    cloneVm: (vmId, cloneName, signal) => act(() => api.cloneVm(vmId, cloneName, signal)),
    configureVm: (vmId, change, signal) => act(() => api.configureVm(vmId, change, signal)),
    beginCreate: (request, signal) => act(() => api.beginCreate(request, signal)),
    readJob: (jobId, signal) => read(() => api.readJob(jobId, signal)),
    execute: (vmId, request) => read(() => api.execute(vmId, request)),
    subscribe: (listener) => api.subscribe(ownListener(listener, life)),
    close: () => api.close(),
  };
}

function ownListener(listener: ParallelsListener, life: Life): ParallelsListener {
  return {
    onConnected: () => life.do(() => listener.onConnected()),
    onDisconnected: (error) => life.do(() => listener.onDisconnected(error)),
    onStateChanged: (vmId, state) => life.do(() => listener.onStateChanged(vmId, state)),
    onVmChanged: (vm) => life.do(() => listener.onVmChanged(vm)),
    onVmRemoved: (vmId) => life.do(() => listener.onVmRemoved(vmId)),
    onJob: (job) => life.do(() => listener.onJob(job)),
    onCacheChanged: () => life.do(() => listener.onCacheChanged()),
  };
}

function nothing(): Promise<never> {
  return new Promise(() => undefined);
}
