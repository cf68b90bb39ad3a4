/** The routes about the Mac itself: health, hardware, disk, licence, jobs and cached images. */
import type { Job } from "../job.ts";
import type { SimulatedMac } from "../mac.ts";
import { serviceFailed } from "../service-error.ts";
import { param, type Route } from "./route.ts";
import { toWireCache, toWireDiskSpace, toWireHardware, toWireLicence } from "./wire-host.ts";
import { toWireJob } from "./wire-job.ts";

export function createHostRoutes(mac: SimulatedMac): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/health/probe",
      access: "anyone",
      isUnversioned: true,
      handle: async () => ({ status: 200, body: { status: "OK" } }),
    },
    {
      method: "GET",
      path: "/health/system",
      access: "anyone",
      handle: async () => ({
        status: 200,
        body: {
          healthy: true,
          message: "All Services Running",
          services: [{ name: "Parallels Desktop Service", healthy: true }],
        },
      }),
    },
    {
      method: "GET",
      path: "/config/hardware",
      access: "caller",
      handle: async () => {
        await mac.faults.pass("hardware");
        return { status: 200, body: toWireHardware(mac) };
      },
    },
    {
      method: "POST",
      path: "/config/diskspace",
      access: "anyone",
      handle: async () => {
        await mac.faults.pass("diskSpace");
        return { status: 200, body: toWireDiskSpace(mac) };
      },
    },
    {
      method: "GET",
      path: "/config/parallels-desktop/license",
      access: "anyone",
      handle: async () => {
        await mac.faults.pass("licence");
        return { status: 200, body: toWireLicence(mac) };
      },
    },
    ...createJobRoutes(mac),
    ...createCacheRoutes(mac),
  ];
}

function createJobRoutes(mac: SimulatedMac): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/jobs",
      access: "user",
      handle: async () => {
        await mac.faults.pass("jobs");
        return { status: 200, body: mac.jobs.all().map(toWireJob) };
      },
    },
    {
      method: "GET",
      path: "/jobs/{id}",
      access: "user",
      handle: async (call) => {
        await mac.faults.pass("jobs");
        return { status: 200, body: toWireJob(findJob(mac, param(call, "id"))) };
      },
    },
    {
      method: "DELETE",
      path: "/jobs/cleanup",
      access: "user",
      handle: async () => {
        await mac.faults.pass("jobs");
        for (const job of mac.jobs.all()) if (job.isEnded) mac.jobs.remove(job);
        return { status: 200 };
      },
    },
    {
      method: "DELETE",
      path: "/jobs/{id}",
      access: "user",
      handle: async (call) => {
        await mac.faults.pass("jobs");
        mac.jobs.remove(findJob(mac, param(call, "id")));
        return { status: 204 };
      },
    },
  ];
}

function findJob(mac: SimulatedMac, id: string): Job {
  const job = mac.jobs.find(id);
  if (job === undefined) throw serviceFailed(404, "job not found");
  return job;
}

function createCacheRoutes(mac: SimulatedMac): readonly Route[] {
  const read = (path: string): Route => ({
    method: "GET",
    path,
    access: "caller",
    errors: "diagnostics",
    handle: async () => ({ status: 200, body: toWireCache(mac, await mac.cachedImages()) }),
  });
  const remove = (path: string): Route => ({
    method: "DELETE",
    path,
    access: "caller",
    errors: "diagnostics",
    handle: async ({ params }) => {
      await mac.removeCachedImages(params["catalogId"], params["version"]);
      return { status: 202 };
    },
  });
  return [
    read("/cache"),
    read("/catalog/cache"),
    remove("/cache"),
    remove("/cache/{catalogId}"),
    remove("/cache/{catalogId}/{version}"),
  ];
}
