import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { exitCodes } from "../../../cli/exit-codes.ts";
import type { CreateCatalogRequest } from "../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import {
  HostDrain_Then,
  HostQuarantine_Phase,
  HostQuarantineSchema,
} from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import {
  type ControlHostVmRequest,
  ControlHostVmRequest_Action,
  type DrainHostRequest,
  type UpdateHostRequest,
} from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import {
  ImagePrefetchSchema,
  type ImagePurge,
  ImagePurgeSchema,
  type Template,
  TemplateStatus_State,
} from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import type {
  CreateTemplateRequest,
  RevokeTemplateRequest,
  UpdateTemplateRequest,
} from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, Condition_State, GuestOs, WatchEventType } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { sampleHost, sampleTemplate } from "../../support/cli/samples.ts";
import { refusal, type Script } from "../../support/cli/scripted-server.ts";

describe("meridian host", () => {
  it("list shows what is taken, and why a host takes nothing new", async () => {
    const cordoned = sampleHost("mac-2", { spec: { schedulable: false } });
    const unlicensed = sampleHost("mac-3", {
      status: {
        placeable: false,
        conditions: [{ type: "LicenceValid", state: Condition_State.FALSE, message: "the licence has expired" }],
      },
    });
    const hosts = [sampleHost("mac-1"), cordoned, unlicensed];
    const { out } = await runAgainst({ hosts: { listHosts: () => ({ hosts }) } }, ["host", "list"]);
    assert.match(out, /^mac-1 +READY +arm64 +1 +1\/2 +4\/10 +8\/28 GiB +64\/500 GiB$/m);
    assert.match(out, /^mac-2 .* cordoned$/m);
    assert.match(out, /^mac-3 .* the licence has expired$/m);
  });

  it("list and get show a quarantine, and release ends it", async () => {
    const message = "3 VMs could not be made or started there";
    const quarantine = create(HostQuarantineSchema, { phase: HostQuarantine_Phase.ISOLATED, round: 2, message });
    const held = sampleHost("mac-1", {
      status: { placeable: false, quarantine, quarantineCount: 4, recentFailures: 3 },
    });
    const { out: list } = await runAgainst({ hosts: { listHosts: () => ({ hosts: [held] }) } }, ["host", "list"]);
    assert.match(list, /^mac-1 .* quarantine: 3 VMs could not be made/m);
    const { out: detail } = await runAgainst({ hosts: { getHost: () => ({ host: held }) } }, ["host", "get", "mac-1"]);
    assert.match(detail, /Quarantine +since .*, round 2, on trial; 4 times so far/);
    const { out } = await runAgainst({ hosts: { releaseHost: () => ({ host: sampleHost("mac-1") }) } }, [
      "host",
      "release",
      "mac-1",
    ]);
    assert.equal(out, "hosts/mac-1 READY\n");
  });

  it("drain says by when, why and what then", async () => {
    const requests: DrainHostRequest[] = [];
    const script = {
      hosts: {
        drainHost: (request: DrainHostRequest) => {
          requests.push(request);
          return { host: sampleHost("mac-1", { spec: { drain: { reason: request.reason } } }) };
        },
      },
    };
    const line = ["host", "drain", "mac-1", "--deadline", "30m", "--reason", "update", "--then", "uncordon"];
    const { out } = await runAgainst(script, line);
    assert.equal(out, "hosts/mac-1 READY, draining: update\n");
    const [request] = requests;
    assert.deepEqual(
      [request?.name, request?.deadline?.seconds, request?.then],
      ["hosts/mac-1", 1800n, HostDrain_Then.UNCORDON],
    );
    await runAgainst(script, ["host", "drain", "mac-1"]);
    assert.equal(requests[1]?.deadline, undefined, "no deadline is not a deadline of 0");
  });

  it("drain --wait shows how many VMs are left, and ends when the host is empty", async () => {
    const left = (vmsRemaining: number) =>
      sampleHost("mac-1", {
        spec: { drain: { reason: "update" } },
        status: { drain: { vmsRemaining, vmsAtStart: 2 } },
      });
    const script = {
      hosts: {
        drainHost: () => ({ host: left(2) }),
        async *watchHosts() {
          for (const count of [2, 1, 0]) yield { type: WatchEventType.UPDATED, host: left(count), revision: 1n };
        },
      },
    };
    const { out } = await runAgainst(script, ["host", "drain", "mac-1", "--wait"]);
    assert.match(out, /^hosts\/mac-1 .*, drained$/m);
    const stuck = { hosts: { ...script.hosts, watchHosts: stay } };
    const { exitCode, err } = await runAgainst(stuck, ["host", "drain", "mac-1", "--wait", "--timeout", "50ms"]);
    assert.equal(exitCode, 6);
    assert.match(err, /hosts\/mac-1 is not empty yet/);
    async function* stay(_request: unknown, { signal }: { readonly signal: AbortSignal }) {
      yield { type: WatchEventType.UPDATED, host: left(1), revision: 1n };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
  });

  it("label keeps other labels, and tries again when somebody was faster", async () => {
    const requests: UpdateHostRequest[] = [];
    let etag = 1;
    const script = {
      hosts: {
        getHost: () => ({
          host: sampleHost("mac-1", { spec: { labels: { disk: "ssd", old: "1" } }, etag: String(etag) }),
        }),
        updateHost: (request: UpdateHostRequest) => {
          requests.push(request);
          if (requests.length === 1) {
            etag = 2;
            throw refusal("ETAG_MISMATCH", "hosts/mac-1 has changed");
          }
          return { host: sampleHost("mac-1") };
        },
      },
    };
    const { exitCode } = await runAgainst(script, ["host", "label", "mac-1", "team=ios", "old-"]);
    assert.equal(exitCode, 0);
    assert.equal(requests[1]?.host?.etag, "2");
    assert.deepEqual(requests[1]?.host?.spec?.labels, { disk: "ssd", team: "ios" });
    assert.deepEqual(requests[1]?.updateMask?.paths, ["spec.labels"]);
  });

  it("vm VERB acts on a VM that is not the pool's, with a deadline beyond the server's", async () => {
    const requests: ControlHostVmRequest[] = [];
    const script = {
      hosts: {
        controlHostVm: (request: ControlHostVmRequest) => {
          requests.push(request);
          return { vm: { displayName: "Windows 11", state: "stopped" } };
        },
      },
    };
    const line = ["host", "vm", "stop", "mac-1", "Windows 11", "--force", "--timeout", "1m"];
    const { out, calls } = await runAgainst(script, line);
    assert.equal(out, "Windows 11 stopped\n");
    const [request] = requests;
    assert.deepEqual([request?.name, request?.hostVm, request?.force], ["hosts/mac-1", "Windows 11", true]);
    assert.equal(request?.action, ControlHostVmRequest_Action.STOP);
    assert.equal(request?.timeout?.seconds, 60n);
    assert.equal(calls[0]?.timeout, "70000m");
  });
});

describe("meridian template", () => {
  const full = "--host-vm golden --os macos --arch arm64 --cpu 4 --memory 8GiB --disk 64GiB".split(" ");

  it("create makes a template of a golden VM", async () => {
    const requests: CreateTemplateRequest[] = [];
    const script = {
      templates: {
        createTemplate: (request: CreateTemplateRequest) => {
          requests.push(request);
          return { template: sampleTemplate(request.templateId) };
        },
      },
    };
    const { out } = await runAgainst(script, ["template", "create", "--id", "macos-15", ...full]);
    assert.equal(out, "templates/macos-15\n");
    const spec = requests[0]?.template?.spec;
    assert.equal(spec?.source.case, "hostVm");
    assert.deepEqual(
      [spec?.guestOs, spec?.architecture, spec?.resources?.memoryMib],
      [GuestOs.MACOS, Architecture.ARM64, 8192],
    );
  });

  it("create and update say who may use a template", async () => {
    const requests: { readonly template?: Template | undefined }[] = [];
    const keep = (request: CreateTemplateRequest | UpdateTemplateRequest) => {
      requests.push(request);
      return { template: sampleTemplate("macos-15") };
    };
    const script = { templates: { createTemplate: keep, updateTemplate: keep } };
    const allow = ["--allow-project", "ios", "--allow-project", "projects/web", "--allow-role", "operator"];
    await runAgainst(script, ["template", "create", "--id", "macos-15", ...full, ...allow]);
    const access = requests[0]?.template?.spec?.access;
    assert.deepEqual([access?.projects, access?.roles], [["ios", "web"], [Role.OPERATOR]]);
    await runAgainst(script, ["template", "update", "macos-15", "--allow-all"]);
    assert.deepEqual(requests[1]?.template?.spec?.access?.projects, []);
    const both = await runAgainst(script, ["template", "update", "macos-15", "--allow-all", ...allow]);
    assert.equal(both.exitCode, 2);
    assert.equal((await runAgainst(script, ["template", "update", "macos-15", "--allow-role", "king"])).exitCode, 2);
  });

  it("taint, revoke and restore say what has become of it", async () => {
    const reasons: string[] = [];
    const judged = (state: TemplateStatus_State) => (request: { readonly name: string; readonly reason?: string }) => {
      reasons.push(request.reason ?? "");
      return { template: sampleTemplate(request.name.replace("templates/", ""), state) };
    };
    const stops: boolean[] = [];
    const revoke = judged(TemplateStatus_State.REVOKED);
    const script = {
      templates: {
        taintTemplate: judged(TemplateStatus_State.TAINTED),
        revokeTemplate: (request: RevokeTemplateRequest) => {
          stops.push(request.stopRunning);
          return revoke(request);
        },
        restoreTemplate: judged(TemplateStatus_State.ACTIVE),
      },
    };
    const why = ["--reason", "leaked"];
    const tainted = await runAgainst(script, ["template", "taint", "macos-15", ...why]);
    assert.equal(tainted.out, "templates/macos-15 is TAINTED\n");
    const revoked = await runAgainst(script, ["template", "revoke", "macos-15", "--stop-running", ...why]);
    assert.equal(revoked.out, "templates/macos-15 is REVOKED\n");
    const asJson = await runAgainst(script, ["template", "restore", "macos-15", "--json"]);
    assert.equal(JSON.parse(asJson.out).status.state, "STATE_ACTIVE");
    assert.deepEqual([reasons, stops], [["leaked", "leaked", ""], [true]]);
    for (const verb of ["taint", "revoke"]) {
      const { exitCode, err } = await runAgainst(script, ["template", verb, "macos-15"]);
      assert.equal(exitCode, 2);
      assert.ok(err.includes("--reason is missing"), err);
    }
  });

  it("revoke --purge --wait shows how far the hosts are, until none has the image", async () => {
    const purges: MessageInitShape<typeof ImagePurgeSchema>[] = [
      { pendingHosts: ["hosts/mac-1", "hosts/mac-2"] },
      {
        purgedHosts: ["hosts/mac-1"],
        failedHosts: [{ host: "hosts/mac-2", reason: "StillCached", message: "it is still there" }],
      },
      { purgedHosts: ["hosts/mac-1", "hosts/mac-2"], done: true },
    ];
    const asked: boolean[] = [];
    const look = () => {
      const purge = create(ImagePurgeSchema, purges.length > 1 ? purges.shift() : purges[0]);
      return withPurge(purge);
    };
    const script = {
      templates: {
        revokeTemplate: (request: RevokeTemplateRequest) => {
          asked.push(request.purgeImages);
          return look();
        },
        getTemplate: look,
      },
    };
    const why = ["template", "revoke", "macos-15", "--reason", "leaked"];
    const { out, err } = await runAgainst(script, [...why, "--purge", "--wait"]);
    assert.equal(out, "templates/macos-15 is revoked, purged from 2 of 2 hosts\n");
    assert.match(err, /macos-15: purged from 0 of 2 hosts; to go: mac-1, mac-2\n/);
    assert.match(err, /purged from 1 of 2 hosts; failed: mac-2 \(StillCached: it is still there\)/);
    const shown = await runAgainst(script, ["template", "get", "macos-15"]);
    assert.match(shown.out, /Images +purged from 2 of 2 hosts/);
    assert.equal((await runAgainst(script, why)).exitCode, 0);
    assert.deepEqual(asked, [true, false]);
    assert.equal((await runAgainst(script, [...why, "--wait"])).exitCode, 2);
    assert.equal((await runAgainst(script, [...why, "--purge", "--timeout", "1s"])).exitCode, 2);
  });

  it("revoke --purge --wait ends with the time that it has, and when the template is restored meanwhile", async () => {
    const pending = create(ImagePurgeSchema, { pendingHosts: ["hosts/mac-9"] });
    const wait = ["template", "revoke", "macos-15", "--reason", "leaked", "--purge", "--wait", "--timeout", "500ms"];
    const revokeTemplate = () => withPurge(pending);
    const late = await runAgainst({ templates: { revokeTemplate, getTemplate: () => withPurge(pending) } }, wait);
    assert.equal(late.exitCode, exitCodes.timedOut);
    assert.match(late.err, /not purged yet: .*to go: mac-9/);
    const restored = await runAgainst(
      { templates: { revokeTemplate, getTemplate: () => withPurge(undefined) } },
      wait.slice(0, -2),
    );
    assert.deepEqual([restored.exitCode, restored.err.includes("not being purged")], [exitCodes.failed, true]);
  });

  it("prefetch --wait shows how far the hosts are, and fails when one has given up", async () => {
    const failure = { host: "hosts/mac-2", reason: "DiskFull", message: "there is no room" };
    const pulling = { pullingHosts: [{ host: "hosts/mac-1", percent: 36.6 }], waitingHosts: ["hosts/mac-2"] };
    const asked: (readonly string[])[] = [];
    const runWith = (looks: readonly (MessageInitShape<typeof ImagePrefetchSchema> | undefined)[], flags: string[]) => {
      const left = [...looks];
      const look = (): { readonly template: Template } => {
        const template = sampleTemplate("macos-15");
        const prefetch = left.length > 1 ? left.shift() : left[0];
        if (template.status !== undefined && prefetch !== undefined) {
          template.status.prefetch = create(ImagePrefetchSchema, prefetch);
        }
        return { template };
      };
      const prefetchTemplate = ({ hosts }: { readonly hosts: readonly string[] }) => {
        asked.push(hosts);
        return look();
      };
      const script = { templates: { prefetchTemplate, getTemplate: look } };
      return runAgainst(script, ["template", "prefetch", "macos-15", ...flags]);
    };
    const begun = await runWith([pulling], ["mac-1", "mac-2"]);
    assert.equal(begun.out, "templates/macos-15 is being pulled: pulling: mac-1 (37 %); waiting: mac-2\n");
    const done = await runWith([pulling, undefined], ["--wait"]);
    assert.equal(done.out, "templates/macos-15 is on all hosts that were asked\n");
    assert.match(done.err, /macos-15: pulling: mac-1 \(37 %\); waiting: mac-2\n/);
    const failed = await runWith(
      [pulling, { failedHosts: [failure, { ...failure, host: "hosts/mac-3" }] }],
      ["--wait"],
    );
    assert.deepEqual([failed.exitCode, failed.out], [exitCodes.failed, ""]);
    assert.match(failed.err, /failed: mac-2, mac-3 \(DiskFull: there is no room\)/);
    let isAway = true;
    const getTemplate = (): { readonly template: Template } => {
      if (!isAway) return { template: sampleTemplate("macos-15") };
      isAway = false;
      throw refusal("SERVER_NOT_SERVING", "the server is stopping");
    };
    const prefetchTemplate = (): { readonly template: Template } => {
      const template = sampleTemplate("macos-15");
      if (template.status !== undefined) template.status.prefetch = create(ImagePrefetchSchema, pulling);
      return { template };
    };
    const script = { templates: { prefetchTemplate, getTemplate } };
    const restarted = await runAgainst(script, ["template", "prefetch", "macos-15", "--wait"]);
    assert.deepEqual([restarted.exitCode, isAway], [exitCodes.done, false]);
    const late = await runWith([pulling], ["--wait", "--timeout", "10ms"]);
    assert.equal(late.exitCode, exitCodes.timedOut);
    assert.match(late.err, /not on all hosts yet: pulling: mac-1 .* It goes on without you/);
    assert.equal((await runWith([pulling], ["--timeout", "1m"])).exitCode, exitCodes.wrongUsage);
    assert.deepEqual(asked, [["hosts/mac-1", "hosts/mac-2"], [], [], []]);
  });

  it("create without one of its flags says which", async () => {
    for (const flag of ["--host-vm", "--os", "--arch", "--cpu", "--memory", "--disk"]) {
      const at = full.indexOf(flag);
      const { exitCode, err } = await runAgainst({}, ["template", "create", ...full.toSpliced(at, 2)]);
      assert.equal(exitCode, 2);
      assert.ok(err.includes(`${flag} is missing`), err);
    }
  });

  it("update changes what the flags say and nothing else", async () => {
    const requests: UpdateTemplateRequest[] = [];
    const script = {
      templates: {
        updateTemplate: (request: UpdateTemplateRequest) => {
          requests.push(request);
          return { template: sampleTemplate("macos-15") };
        },
      },
    };
    await runAgainst(script, ["template", "update", "macos-15", "--memory", "16GiB", "--description", ""]);
    assert.deepEqual(requests[0]?.updateMask?.paths, ["spec.resources.memory_mib", "spec.description"]);
    const nothing = await runAgainst(script, ["template", "update", "macos-15"]);
    assert.equal(nothing.exitCode, 2);
    assert.equal(requests.length, 1);
  });
});

describe("meridian catalog", () => {
  it("create takes its secrets from the environment", async () => {
    const requests: CreateCatalogRequest[] = [];
    const script = {
      catalogs: {
        createCatalog: (request: CreateCatalogRequest) => {
          requests.push(request);
          return { catalog: { name: "catalogs/main" } };
        },
      },
    };
    const line = ["catalog", "create", "--id", "main", "--url", "https://catalog.example.com", "--username", "ci"];
    const { out } = await runAgainst(script, line, { environment: { MERIDIAN_PASSWORD: "secret" } });
    assert.equal(out, "catalogs/main\n");
    const credentials = requests[0]?.catalog?.spec?.credentials;
    assert.deepEqual([credentials?.username, credentials?.password, credentials?.apiKey], ["ci", "secret", ""]);
  });
});

describe("meridian catalog get", () => {
  it("says whether the catalog can be read, and what is in it", async () => {
    const reachable = (state: Condition_State, message: string) => ({ type: "Reachable", state, reason: "x", message });
    const manifest = { catalogId: "MACOS-15", architecture: Architecture.ARM64, state: TemplateStatus_State.ACTIVE };
    const manifests = [
      { ...manifest, version: "v2", state: TemplateStatus_State.REVOKED },
      { ...manifest, version: "v3", latest: true, requiredRoles: ["USER"], requiredClaims: ["PULL"] },
    ];
    const statuses: Readonly<Record<string, object>> = {
      "catalogs/main": { conditions: [reachable(Condition_State.TRUE, "")], manifests, manifestsLeftOut: 7 },
      "catalogs/gone": { conditions: [reachable(Condition_State.FALSE, "it did not answer in time")] },
      "catalogs/new": {},
    };
    const script: Script = {
      catalogs: {
        getCatalog: ({ name }) => ({ catalog: { name, spec: { url: "https://c" }, status: statuses[name] ?? {} } }),
      },
    };
    const { out } = await runAgainst(script, ["catalog", "get", "main", "gone", "new"]);
    assert.match(out, /Reachable +yes, since/);
    assert.match(out, /MACOS-15 +v2 +arm64 +REVOKED +-/);
    assert.match(out, /MACOS-15 +v3 \(latest\) +arm64 +ACTIVE +USER, PULL/);
    assert.match(out, /and 7 more that no template names/);
    assert.match(out, /Reachable +no: it did not answer in time/);
    assert.match(out, /Reachable +not read yet/);
  });
});

describe("meridian template get", () => {
  it("counts the hosts that have the image, and names the first ones", async () => {
    const many = sampleTemplate("many");
    assert.ok(many.status);
    many.status.hosts = Array.from({ length: 50 }, (_, index) => `hosts/mac-${index + 1}`);
    const script: Script = {
      templates: {
        getTemplate: ({ name }) => ({ template: name === many.name ? many : sampleTemplate("one") }),
      },
    };
    const { out } = await runAgainst(script, ["template", "get", "many", "one"]);
    assert.match(out, /On hosts +50: mac-1, mac-2, mac-3, mac-4, mac-5, …$/m);
    assert.match(out, /On hosts +1: mac-1$/m);
  });
});

describe("meridian pool status", () => {
  it("shows totals, states and the queue", async () => {
    const pool = {
      version: "0.1.0",
      queueLength: 3,
      vmStates: [{ state: VmStatus_State.RUNNING, count: 2 }],
      totals: [
        {
          architecture: Architecture.ARM64,
          hosts: 3,
          hostsReady: 2,
          hostsPlaceable: 1,
          macosSlots: 2,
          macosSlotsUsed: 1,
        },
      ],
    };
    const { out } = await runAgainst({ pool: { getPool: () => ({ pool }) } }, ["pool", "status"]);
    assert.match(out, /VMs +2 RUNNING/);
    assert.match(out, /Queue +3 wait/);
    assert.match(out, /arm64 +3 +2 +1 +0\/0 +- +- +1\/2/);
  });

  it("fits a terminal of 80 columns with the totals of hundreds of hosts", async () => {
    const row = { architecture: Architecture.ARM64, hosts: 500, hostsReady: 499, hostsPlaceable: 498 };
    const capacity = { cpuCount: 6000n, memoryMib: 16_000n * 1024n, diskMib: 400_000n * 1024n };
    const allocated = { cpuCount: 4000n, memoryMib: 8000n * 1024n, diskMib: 51_200n * 1024n };
    const totals = [{ ...row, macosSlots: 1000, macosSlotsUsed: 987, capacity, allocated }];
    const { out } = await runAgainst({ pool: { getPool: () => ({ pool: { totals } }) } }, ["pool", "status"]);
    assert.match(out, / 4000\/6000 +7\.8\/15\.6 TiB +50\/391 TiB +987\/1000$/m);
    const table = out.slice(out.indexOf("Taken of")).split("\n");
    assert.equal(table.length, 4);
    for (const line of table) assert.ok(line.length <= 80, line);
  });
});

function withPurge(purge: ImagePurge | undefined): { readonly template: Template } {
  const template = sampleTemplate("macos-15", TemplateStatus_State.REVOKED);
  if (template.status !== undefined && purge !== undefined) template.status.purge = purge;
  return { template };
}
