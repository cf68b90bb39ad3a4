import assert from "node:assert/strict";
import { required } from "../../../../../shared/assert.ts";
import { AccessService } from "../../../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import type { Project } from "../../../../../shared/gen/es/meridian/v1/project_pb.ts";
import { VmService } from "../../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { goldenVm, wholeInventory } from "../../../../support/pool/hosts.ts";
import { macosTemplate } from "../../../../support/pool/random-history.ts";
import { templateCreate } from "../../../../support/pool/specs.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

describe("AccessService, for projects", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const access = (): ReturnType<typeof api.client<typeof AccessService>> => api.client(AccessService);
  const quota = { vms: 8, cpuCount: 64, memoryMib: 262_144n, diskMib: 4_000_000n, macosSlots: 0 };
  const acme = { displayName: "Acme builds", weight: 2, quota, labels: { team: "ios" } };

  async function get(name: string): Promise<Project> {
    return required((await access().getProject({ name })).project, "project");
  }

  for (const front of fronts) {
    it(`makes, shows, lists, changes and deletes projects over ${front}`, async () => {
      const client = api.client(AccessService, front);
      const { project: made } = await client.createProject({ projectId: "acme", project: { spec: acme } });
      assert.equal(made?.name, "projects/acme");
      assert.equal(made.generation, 1n);
      const { $typeName: _, $unknown: __, ...shown } = required(made.spec?.quota, "quota");
      assert.deepEqual(shown, quota, "0 is a bound");
      const { projects } = await client.listProjects({ filter: "spec.weight > 1 AND spec.labels.team = ios" });
      assert.deepEqual(
        projects.map(({ name }) => name),
        ["projects/acme"],
      );
      const { project: changed } = await client.updateProject({
        project: { name: "projects/acme", etag: made.etag, spec: { quota: { cpuCount: 32 } } },
        updateMask: { paths: ["spec.quota.vms", "spec.quota.cpu_count"] },
      });
      assert.equal(changed?.spec?.quota?.vms, undefined, "a bound that is named and absent is taken away");
      assert.equal(changed?.spec?.quota?.cpuCount, 32);
      assert.equal(changed?.spec?.quota?.macosSlots, 0);
      assert.equal(changed?.spec?.weight, 2);
      await client.deleteProject({ name: "projects/acme", etag: changed?.etag ?? "" });
      await refused(client.getProject({ name: "projects/acme" }), "RESOURCE_NOT_FOUND");
    });
  }

  it("gives a project that says nothing weight 1 and no quota, and a name if it has none", async () => {
    const { project } = await access().createProject({ project: { spec: {} } });
    assert.match(project?.name ?? "", /^projects\/project-[a-z2-7]{10}$/);
    assert.equal(project?.spec?.weight, 1);
    assert.deepEqual(Object.keys(project?.spec?.quota ?? {}), ["$typeName"]);
  });

  it("answers a repeated create with what it made, and other content not at all", async () => {
    const request = { projectId: "acme", requestId: "r", project: { spec: acme } };
    const first = await access().createProject(request);
    assert.equal((await access().createProject(request)).project?.uid, first.project?.uid);
    await refused(
      access().createProject({ ...request, project: { spec: { ...acme, weight: 3 } } }),
      "REQUEST_ID_REUSED",
    );
    await refused(access().createProject({ ...request, requestId: "" }), "RESOURCE_EXISTS");
    await access().deleteProject({ name: "projects/acme" });
    await refused(access().createProject(request), "RESOURCE_NOT_FOUND");
  });

  it("says which fields are wrong, all of them", async () => {
    const spec = { weight: 1001, quota: { memoryMib: 2n ** 60n, vms: 1_000_001 }, labels: { "": "x" } };
    const refusal = await refused(access().createProject({ project: { spec } }), "FIELD_INVALID");
    assert.deepEqual(refusal.fields, [
      "project.spec.weight",
      "project.spec.quota.vms",
      "project.spec.quota.memory_mib",
      "project.spec.labels.",
    ]);
    await refused(access().createProject({}), "FIELD_INVALID");
    await refused(access().createProject({ projectId: "Acme", project: { spec: {} } }), "FIELD_INVALID");
    await refused(access().createProject({ project: { spec: { weight: 0 } } }), "FIELD_INVALID");
    await refused(access().getProject({ name: "vms/acme" }), "FIELD_INVALID");
    await refused(access().updateProject({ project: { name: "projects/acme", spec: {} } }), "RESOURCE_NOT_FOUND");
    await refused(access().deleteProject({ name: "projects/acme" }), "RESOURCE_NOT_FOUND");
  });

  it("refuses changes of what has changed since", async () => {
    await access().createProject({ projectId: "acme", project: { spec: acme } });
    const project = { name: "projects/acme", etag: '"stale"', spec: { weight: 3 } };
    await refused(access().updateProject({ project }), "ETAG_MISMATCH");
    await refused(access().deleteProject({ name: "projects/acme", etag: '"stale"' }), "ETAG_MISMATCH");
  });

  it("tells what a project holds, from placement until its VMs are gone, and what waits", async () => {
    const { driver } = api;
    await driver.submit(templateCreate(macosTemplate, { guestOs: "macos" }));
    const { host } = { host: await driver.addHost("mac-1", { inventory: wholeInventory([goldenVm()]) }) };
    await access().createProject({ projectId: "acme", project: { spec: {} } });
    const resources = { cpuCount: 4, memoryMib: 8192, diskMib: 30_000 };
    await driver.create("a", { project: "acme", resources, template: macosTemplate });
    await driver.create("other", { resources });
    await driver.create("b", { project: "acme", resources: { ...resources, cpuCount: 12 } });
    const { status } = await get("projects/acme");
    assert.equal(status?.waitingVms, 1);
    const held = { vms: 1, cpuCount: 4, memoryMib: 8192n, diskMib: 30_000n, macosSlots: 1 };
    const { $typeName: _, ...usage } = required(status?.usage, "usage");
    assert.deepEqual(usage, held);
    host.next("delete", { kind: "accept" });
    await api.client(VmService).deleteVm({ name: "vms/a" });
    assert.equal((await get("projects/acme")).status?.usage?.vms, 1, "it holds until it is gone");
    const vm = driver.vm("a");
    await host.finish(vm, required(vm.command, "command"));
    await driver.settle();
    assert.equal((await get("projects/acme")).status?.usage?.vms, 0);
  });

  it("keeps a project that has VMs, and lets VMs name one that was never created", async () => {
    const { driver } = api;
    await driver.addHost("mac-1");
    await driver.create("a", { project: "acme" });
    assert.equal(driver.vm("a").state, "RUNNING");
    await refused(access().getProject({ name: "projects/acme" }), "RESOURCE_NOT_FOUND");
    await access().createProject({ projectId: "acme", project: { spec: {} } });
    assert.equal((await get("projects/acme")).status?.usage?.vms, 1);
    const refusal = await refused(access().deleteProject({ name: "projects/acme" }), "RESOURCE_IN_USE");
    assert.match(refusal.message, /it has 1 VMs/);
    await api.client(VmService).deleteVm({ name: "vms/a" });
    await driver.settle();
    await access().deleteProject({ name: "projects/acme" });
  });

  it("are there after a restart", async () => {
    await access().createProject({ projectId: "acme", project: { spec: acme } });
    const restarted = await api.driver.restart();
    assert.deepEqual(restarted.view().projects.get("acme")?.spec.weight, 2);
    await restarted.close();
  });
});
