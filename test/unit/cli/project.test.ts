import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import type {
  CreateProjectRequest,
  UpdateProjectRequest,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { type Project, ProjectSchema } from "../../../shared/gen/es/meridian/v1/project_pb.ts";
import type { CreateVmRequest } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { before, sampleVm } from "../../support/cli/samples.ts";
import { refusal } from "../../support/cli/scripted-server.ts";

function acme(): Project {
  return create(ProjectSchema, {
    name: "projects/acme",
    spec: { displayName: "Acme", weight: 2, quota: { vms: 8, memoryMib: 65_536n } },
    status: { usage: { vms: 3, cpuCount: 12, memoryMib: 24_576n, diskMib: 100n }, waitingVms: 5 },
    createTime: before(3600),
  });
}

describe("meridian project", () => {
  it("create sends what the flags say, and bounds of 0 too", async () => {
    const requests: CreateProjectRequest[] = [];
    const access = {
      createProject: (request: CreateProjectRequest) => {
        requests.push(request);
        return { project: acme() };
      },
    };
    const line = "project create --id acme --weight 2 --max-vms 8 --max-macos 0 --max-memory 64GiB --label team=ios";
    const { out } = await runAgainst({ access }, line.split(" "));
    assert.equal(out, "projects/acme\n");
    const spec = requests[0]?.project?.spec;
    assert.equal(requests[0]?.projectId, "acme");
    assert.equal(spec?.weight, 2);
    assert.deepEqual({ ...spec.quota, $typeName: "" }, { $typeName: "", vms: 8, memoryMib: 65_536n, macosSlots: 0 });
    assert.deepEqual(spec.labels, { team: "ios" });
  });

  it("update names what it changes, also bounds that are taken away", async () => {
    const requests: UpdateProjectRequest[] = [];
    const access = {
      updateProject: (request: UpdateProjectRequest) => {
        requests.push(request);
        return { project: acme() };
      },
    };
    const { out } = await runAgainst({ access }, ["project", "update", "acme", "--max-vms", "none", "--weight", "3"]);
    assert.equal(out, "projects/acme updated\n");
    assert.deepEqual(requests[0]?.updateMask?.paths.toSorted(), ["spec.quota.vms", "spec.weight"]);
    assert.equal(requests[0]?.project?.spec?.quota?.vms, undefined);
    const { exitCode, err } = await runAgainst({ access }, ["project", "update", "acme"]);
    assert.equal(exitCode, 2);
    assert.match(err, /nothing to change/);
  });

  it("list and get show what is held, and of how much", async () => {
    const access = { listProjects: () => ({ projects: [acme()] }), getProject: () => ({ project: acme() }) };
    const listed = await runAgainst({ access }, ["project", "list"]);
    assert.match(listed.out, /^acme +2 +3\/8 +5 +0 +12 +24 GiB\/64 GiB +100 MiB .* Acme$/m);
    const shown = await runAgainst({ access }, ["project", "get", "acme"]);
    assert.match(shown.out, /Memory +24 GiB\/64 GiB/);
    assert.match(shown.out, /Waiting +5/);
  });

  it("delete tells why it did not", async () => {
    const access = {
      deleteProject: () => {
        throw refusal("RESOURCE_IN_USE", "projects/acme is in use: it has 3 VMs; delete them first");
      },
    };
    const { exitCode, err } = await runAgainst({ access }, ["project", "delete", "acme"]);
    assert.equal(exitCode, 1);
    assert.match(err, /it has 3 VMs/);
  });
});

describe("meridian vm create --project", () => {
  it("names the project as a VM's spec does, however it is written", async () => {
    const projects: (string | undefined)[] = [];
    const vms = {
      createVm: (request: CreateVmRequest) => {
        projects.push(request.vm?.spec?.project);
        return { vm: sampleVm("a") };
      },
    };
    await runAgainst({ vms }, ["vm", "create", "--template", "t", "--project", "acme"]);
    await runAgainst({ vms }, ["vm", "create", "--template", "t", "--project", "projects/acme"]);
    assert.deepEqual(projects, ["acme", "acme"]);
  });
});
