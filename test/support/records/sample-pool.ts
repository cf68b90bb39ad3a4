/**
 * A small pool in which a bit of everything has happened, driven through a real engine: VMs in most states, hosts that are
 * drained and silent, orphans, copies, leases, retries. It is what a release's sample of stored data holds, so the more of
 * what records can hold comes about here, the better.
 */
import type { VmAdopt } from "../../../server/pool/events/vms.ts";
import { asHostId, asVmId, hostVmName } from "../../../shared/ids.ts";
import { FakeClock } from "../fake-clock.ts";
import { changedInventory, goldenVm, hostConnected, hostVm } from "../pool/hosts.ts";
import { PoolDriver } from "../pool/pool-driver.ts";
import { failForGood, failRetryably, hold } from "../pool/scripted-host.ts";
import { catalogCreate, catalogTemplateCreate, sized, uidFor, vmSpec, vmWant } from "../pool/specs.ts";
import { testBox } from "../secrets/test-secrets.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;

/** Made at the same moments, with the same ids, each time. */
export async function openSamplePool(): Promise<PoolDriver> {
  const driver = await PoolDriver.open({ clock: new FakeClock(Date.UTC(2026, 10, 1, 12)) });
  await makeTemplates(driver);
  await makeRestingVms(driver);
  await makeRetriedVm(driver);
  await makeForeignVms(driver);
  await makeSilentHost(driver);
  await makeDrainedHost(driver);
  await makeMovingVms(driver);
  await makeBlindHost(driver);
  return driver;
}

async function makeTemplates(driver: PoolDriver): Promise<void> {
  const place = { kind: "catalog", id: "images", field: "credentials" };
  const text = testBox().seal(place, JSON.stringify({ username: "meridian", password: "sample password", apiKey: "" }));
  const credentials = { kind: "sealed", text } as const;
  await driver.submit(catalogCreate("images", { credentials, description: "the images of the sample" }));
  await driver.submit(catalogCreate("open"));
  await driver.submit(
    catalogTemplateCreate("macos-26", "images", {
      guestOs: "macos",
      readiness: { probe: { kind: "exec", command: "/usr/bin/true" }, periodMs: 2000, timeoutMs: 90_000 },
      description: "macOS with Xcode",
      labels: { xcode: "26" },
    }),
  );
}

/** VMs of `mac-1` that are where they are wanted, one that is deleted, and one that waits. */
async function makeRestingVms(driver: PoolDriver): Promise<void> {
  const images = [{ catalogId: "MACOS-26", version: "v1", architecture: "arm64", sizeMib: 40_000 }];
  const inventory = { isWhole: true, vms: [goldenVm()], removedIds: [], images };
  await driver.addHost("mac-1", { agentLabels: { rack: "7" }, inventory });
  await driver.changeHost("mac-1", { labels: { team: "ios" } });
  await driver.create("running", {
    ...sized(1),
    request: { id: "CreateVm/sample", fingerprint: "0123456789abcdef" },
    leaseDurationMs: 6 * 60 * minuteMs,
    maxLifetimeMs: 24 * 60 * minuteMs,
    onHostLost: "replace",
    retryAttempts: 2,
    labels: { job: "1234" },
    annotations: { "ci/url": "https://ci.test/1234" },
    placement: {
      architecture: "arm64",
      required: [{ key: "team", operator: "in", values: ["ios"] }],
      preferred: [{ key: "rack", operator: "gt", values: ["5"] }],
      spreadKey: "job",
      strategy: "spread",
    },
  });
  for (const [name, wanted] of [
    ["stopped", "stopped"],
    ["suspended", "suspended"],
    ["paused", "paused"],
  ] as const) {
    await driver.create(name, sized(1));
    await driver.submit(vmWant(name, wanted));
  }
  await driver.create("copy", { sourceVm: asVmId("stopped"), wanted: "stopped", ...sized(1) });
  await driver.create("ended", { ...sized(1), leaseDurationMs: secondMs });
  await driver.advance(2 * secondMs);
  const readiness = { probe: { kind: "tcp-port", port: 22 }, periodMs: 1000, timeoutMs: 30_000 } as const;
  await driver.create("waiting", { ...sized(64), priority: 90, pendingTimeoutMs: 60 * minuteMs, readiness });
}

/** A VM that one host could not make, and that another one then made. */
async function makeRetriedVm(driver: PoolDriver): Promise<void> {
  const host = await driver.addHost("mac-bad", { agentLabels: { disk: "worn" } });
  host.always("create", failForGood);
  const placement = { preferred: [{ key: "disk", operator: "in", values: ["worn"] }] } as const;
  await driver.create("retried", { ...sized(1), retryAttempts: 1, placement });
  // Long enough for its delay before the next try.
  await driver.advance(5 * secondMs);
  await driver.create("failed", { ...sized(1), placement: { host: host.id } });
}

/** What `mac-orphans` has that is not the pool's: people's, an adopted one, orphans that are due and not. */
async function makeForeignVms(driver: PoolDriver): Promise<void> {
  const host = await driver.addHost("mac-orphans");
  host.always("delete", hold);
  for (const name of ["Windows 11", "somebody's", hostVmName(uidFor("unknown"), 1), hostVmName(uidFor("ended"), 2)]) {
    const vm = hostVm(name, { state: "running", os: "win-11", ipAddresses: ["192.0.2.7"], uptimeSeconds: 60 });
    host.vms.set(name, vm);
    await host.tellInventory(changedInventory([vm]));
  }
  const { template: _template, wanted: _wanted, ...spec } = vmSpec();
  const adopt: VmAdopt = {
    type: "vm-adopt",
    id: asVmId("adopted"),
    uid: uidFor("adopted"),
    host: host.id,
    hostVm: "Windows 11",
    spec,
  };
  await driver.submit(adopt);
}

/** VMs of `mac-busy` that are on their way. */
async function makeMovingVms(driver: PoolDriver): Promise<void> {
  const host = await driver.addHost("mac-busy");
  const there = { ...sized(1), placement: { host: host.id } };
  await driver.create("restarting", there);
  host.always("restart", failRetryably);
  host.always("create", hold);
  await driver.create("creating", { ...there, template: driver.vm("running").spec.template });
  const { command } = driver.vm("creating");
  if (command !== undefined) {
    const progress = { step: "cloning", percent: 40, etaMs: 9000, message: "4 of 10 GB" };
    await host.report(command, "RUNNING", { progress });
  }
  // Its command is sent again in the new session.
  await driver.connect(host);
  await driver.submit(vmWant("restarting", "running", { action: "restart" }));
  host.always("delete", failRetryably);
  await driver.create("deleting", there);
  const made = driver.vm("deleting");
  if (made.command !== undefined) await host.finish(made, made.command);
  await driver.settle();
  await driver.submit(vmWant("deleting", "deleted", { force: true }));
}

/** `mac-silent` has not been heard of for a while, and its VM is UNKNOWN. */
async function makeSilentHost(driver: PoolDriver): Promise<void> {
  const host = await driver.addHost("mac-silent");
  await driver.create("unknown", { ...sized(1), onHostLost: "fail", placement: { host: host.id } });
  await host.disconnect();
  await driver.advance(45 * secondMs);
}

/** An agent that could not list its Mac's VMs yet. */
async function makeBlindHost(driver: PoolDriver): Promise<void> {
  const { inventory: _inventory, ...event } = hostConnected("mac-blind");
  await driver.submit(event);
}

async function makeDrainedHost(driver: PoolDriver): Promise<void> {
  await driver.addHost("mac-drained");
  await driver.create("drained", { ...sized(1), placement: { host: asHostId("mac-drained") } });
  const deadlineMs = driver.engine.nowMs() + 60 * minuteMs;
  // oxlint-disable-next-line unicorn/no-thenable -- the name of the field in the record
  await driver.changeHost("mac-drained", { drain: { deadlineMs, reason: "new memory", then: "uncordon" } });
}
