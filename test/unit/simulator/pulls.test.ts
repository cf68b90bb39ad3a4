import assert from "node:assert/strict";
import { buildMac, buildPull, macosManifest } from "./builders.ts";
import { settle } from "./manual-clock.ts";

describe("a simulated pull", () => {
  it("tells its steps through the job and leaves the VM stopped", async () => {
    const { mac, told } = buildMac({ catalog: [{ ...macosManifest, cpuCount: 6, diskMib: 40_000 }] });
    const job = await mac.beginCreate(buildPull(), "job-1");
    await settle();
    assert.deepEqual([job.id, job.state, job.progress, job.vmName], ["job-1", "completed", 100, "build-1"]);
    assert.equal(told[0], "job-created pending");
    assert(told.filter((line) => line === "job-updated running").length > 10);
    assert.deepEqual(told.slice(-3), ["vm-added build-1", "disk-space-changed", "job-completed completed"]);
    const vm = mac.person.vm(job.vmId);
    assert.deepEqual([vm.state, vm.cpuCount, vm.diskMib], ["stopped", 6, 40_000]);
  });

  it("an id that is known is the job that it was, with one VM", async () => {
    const { mac } = buildMac({ catalog: [macosManifest] });
    const first = await mac.beginCreate(buildPull(), "job-1");
    const second = await mac.beginCreate(buildPull(), "job-1");
    await settle();
    assert.equal(first, second);
    assert.equal(mac.vms.length, 1);
  });

  it("progress never goes back and a download tells what is left", async () => {
    const { mac, clock } = buildMac({ catalog: [macosManifest], delays: { download: [60_000, 60_000] } });
    const seen: number[] = [];
    mac.events.subscribe((event) => {
      if (event.type === "job-updated") seen.push(event.job.progress);
    });
    const job = await mac.beginCreate(buildPull());
    await clock.advance(30_000);
    const step = job.steps.find(({ name }) => name === "download");
    assert.deepEqual([step?.percent, step?.etaMs], [50, 30_000]);
    await clock.advance(30_000);
    assert.deepEqual(
      seen,
      seen.toSorted((left, right) => left - right),
    );
    assert.equal(job.state, "completed");
  });

  it("a second pull of the manifest is quick, and two at once both download", async () => {
    const { mac, clock } = buildMac({ catalog: [macosManifest], delays: { download: [60_000, 60_000] } });
    const jobs = [await mac.beginCreate(buildPull({ name: "a" })), await mac.beginCreate(buildPull({ name: "b" }))];
    await clock.advance(59_000);
    assert.deepEqual(
      jobs.map((job) => job.state),
      ["running", "running"],
    );
    await clock.advance(2_000);
    assert.deepEqual(
      jobs.map((job) => job.state),
      ["completed", "completed"],
    );
    const third = await mac.beginCreate(buildPull({ name: "c" }));
    await settle();
    assert.equal(third.state, "completed");
    assert.equal((await mac.cachedImages())[0]?.useCount, 1);
  });

  const failures: readonly [string, Parameters<typeof buildPull>[0], RegExp][] = [
    ["an unknown manifest", { catalogId: "NOBODY" }, /not found/],
    ["an unknown version", { version: "v9" }, /version v9/],
    ["a manifest of another architecture", { catalogId: "INTEL" }, /architecture arm64 not found/],
    ["a connection without a host", { connection: "provider=aws-s3" }, /host/],
    ["a name that is part of another", { name: "gold" }, /already exists/],
  ];
  for (const [what, change, message] of failures) {
    it(`fails the job on ${what}`, async () => {
      const catalog = [macosManifest, { ...macosManifest, catalogId: "INTEL", architecture: "x86_64" } as const];
      const { mac } = buildMac({ catalog, vms: [{ name: "golden" }] });
      const job = await mac.beginCreate(buildPull(change));
      await settle();
      assert.equal(job.state, "failed");
      assert.match(job.error, /^error 400: Error pulling manifest: /);
      assert.match(job.error, message);
      assert.equal(mac.vms.length, 1);
    });
  }

  it("takes the last version for the latest", async () => {
    const { mac } = buildMac({ catalog: [macosManifest, { ...macosManifest, version: "v2", cpuCount: 2 }] });
    const vm = await mac.create(buildPull({ version: "latest", catalogId: "macos-15" }));
    assert.equal(vm.cpuCount, 2);
  });

  it("needs room for the image and the VM, and less once the image is there", async () => {
    const { mac } = buildMac({ catalog: [{ ...macosManifest, sizeMib: 20_000, diskMib: 60_000 }] });
    mac.setDiskFree(79_999);
    await assert.rejects(mac.create(buildPull()), { status: 400, message: /not enough disk space/ });
    mac.setDiskFree(80_000);
    await mac.create(buildPull({ name: "a" }));
    mac.setDiskFree(60_000);
    await mac.create(buildPull({ name: "b" }));
    assert.equal(mac.diskFreeMib, 0);
  });

  it("with other resources and a start the VM boots twice", async () => {
    const { mac, told } = buildMac({ catalog: [macosManifest] });
    const vm = await mac.create(buildPull({ startOnCreate: true, cpuCount: 8 }));
    assert.equal(vm.cpuCount, 8);
    assert.equal(told.filter((line) => line === "build-1 starting->running").length, 2);
  });

  it("a VM stays on the Mac when what comes after its registration fails", async () => {
    const { mac } = buildMac({ catalog: [macosManifest] });
    mac.faults.fail("start", { error: "Failed to start the VM: no." });
    await assert.rejects(mac.create(buildPull({ startOnCreate: true })), { status: 404 });
    assert.equal(mac.person.vm("build-1").state, "stopped");
  });

  it("a quiet pull's job is marked failed while the work goes on to its end", async () => {
    const { mac, clock } = buildMac({ catalog: [macosManifest] });
    mac.faults.quietPulls = 1;
    const job = await mac.beginCreate(buildPull());
    await clock.advance(299_000);
    assert.equal(job.state, "running");
    await clock.advance(2_000);
    assert.equal(job.state, "failed");
    assert.equal(mac.vms.length, 0);
    await clock.advance(120_000);
    assert.equal(mac.person.vm("build-1").state, "stopped");
    assert.equal(job.state, "failed");
  });

  it("a restart of the service forgets the job and ends its pull", async () => {
    const { mac, clock } = buildMac({ catalog: [macosManifest], delays: { download: [60_000, 60_000] } });
    const job = await mac.beginCreate(buildPull(), "job-1");
    await clock.advance(30_000);
    mac.restartService();
    assert.equal(mac.jobs.find("job-1"), undefined);
    await clock.advance(120_000);
    assert.equal(mac.vms.length, 0);
    assert.notEqual(await mac.beginCreate(buildPull(), "job-1"), job);
  });

  it("a restart that finds its jobs again fails those under way, and keeps those that ended", async () => {
    const { mac, clock } = buildMac({ catalog: [macosManifest], delays: { download: [60_000, 60_000] } });
    const ended = await mac.beginCreate(buildPull({ name: "a" }));
    await clock.advance(60_000);
    mac.faults.slow("unpack", 60_000);
    const running = await mac.beginCreate(buildPull({ name: "b" }));
    await clock.advance(1_000);
    mac.restartService("failed");
    assert.deepEqual([ended.state, running.state], ["completed", "failed"]);
    assert.equal(running.error, "Service crashed or was restarted");
    await clock.advance(120_000);
    assert.equal(mac.vms.length, 1);
  });

  it("a failing download leaves neither VM nor image", async () => {
    const { mac } = buildMac({ catalog: [macosManifest] });
    mac.faults.fail("download", { error: "connection reset by peer" });
    await assert.rejects(mac.create(buildPull()), { status: 400, message: /connection reset/ });
    assert.equal(mac.vms.length, 0);
    assert.deepEqual(await mac.cachedImages(), []);
  });

  it("cached images are removed one version at a time or all", async () => {
    const { mac, told } = buildMac({ catalog: [macosManifest, { ...macosManifest, version: "v2" }] });
    await mac.create(buildPull({ name: "a" }));
    await mac.create(buildPull({ name: "b", version: "v2" }));
    await assert.rejects(mac.removeCachedImages("NOBODY"), { status: 404 });
    await mac.removeCachedImages("macos-15", "v1");
    assert.deepEqual(
      (await mac.cachedImages()).map(({ manifest }) => manifest.version),
      ["v2"],
    );
    await mac.removeCachedImages();
    assert.equal(told.filter((line) => line === "cache-item-removed").length, 2);
  });
});
