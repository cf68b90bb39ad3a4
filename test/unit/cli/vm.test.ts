import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { LabelExpression_Operator, WatchEventType } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import {
  type CreateVmRequest,
  type ExecVmRequest,
  WaitEstimate_Certainty,
  type WaitVmRequest,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { sampleVm } from "../../support/cli/samples.ts";
import { refusal, type Script } from "../../support/cli/scripted-server.ts";

const pendingMessage = "3 hosts have no free macOS slot";

describe("meridian vm list", () => {
  const waiting = sampleVm("build-2", { state: VmStatus_State.PENDING, message: pendingMessage, host: "" });
  const script: Script = {
    vms: {
      listVms: ({ pageToken }) =>
        pageToken === "" ? { vms: [sampleVm("build-1")], nextPageToken: "second" } : { vms: [waiting] },
    },
  };

  it("shows all pages as one table", async () => {
    const { exitCode, out, err } = await runAgainst(script, ["vm", "list"]);
    assert.deepEqual([exitCode, err], [0, ""]);
    const [head = "", first = "", second = "", ...rest] = out.trimEnd().split("\n");
    assert.match(head, /^NAME +STATE +TEMPLATE +HOST +ADDRESS +AGE +MESSAGE$/);
    assert.match(first, /^build-1 +RUNNING +macos-15 +mac-1 +10\.211\.55\.4 /);
    assert.match(second, /^build-2 +PENDING .* 3 hosts have no free macOS slot$/);
    assert.deepEqual(rest, []);
  });

  it("leaves out those that are deleted, unless they are asked for", async () => {
    const filters: string[] = [];
    const listening: Script = {
      vms: {
        listVms: ({ filter }) => {
          filters.push(filter);
          return { vms: [] };
        },
      },
    };
    const flags = [[], ["--filter", 'name = "vms/a"'], ["--filter", "status.state = DELETED"], ["--all"]];
    for (const given of flags) await runAgainst(listening, ["vm", "list", ...given]);
    assert.deepEqual(filters, [
      "status.state != DELETED",
      '(name = "vms/a") AND status.state != DELETED',
      "status.state = DELETED",
      "",
    ]);
  });

  it("prints names alone with -q", async () => {
    const { out } = await runAgainst(script, ["vm", "list", "-q"]);
    assert.equal(out, "vms/build-1\nvms/build-2\n");
  });

  it("prints protobuf JSON under the plural with --json", async () => {
    const { out } = await runAgainst(script, ["vm", "list", "--json"]);
    const names = JSON.parse(out).vms.map((vm: { name: string; status: { state: string } }) => [
      vm.name,
      vm.status.state,
    ]);
    assert.deepEqual(names, [
      ["vms/build-1", "STATE_RUNNING"],
      ["vms/build-2", "STATE_PENDING"],
    ]);
  });

  it("stops at the limit and says that there are more", async () => {
    const { out, err } = await runAgainst(script, ["vm", "list", "-q", "--limit", "1"]);
    assert.equal(out, "vms/build-1\n");
    assert.match(err, /more than 1/);
  });

  it("never prints wider than the terminal, and in colour only there", async () => {
    const { out } = await runAgainst(script, ["vm", "list"], { columns: 60 });
    assert.notEqual(stripVTControlCharacters(out), out);
    for (const line of stripVTControlCharacters(out).split("\n")) assert.ok(line.length <= 60, line);
    const plain = await runAgainst(script, ["vm", "list"], { columns: 60, environment: { NO_COLOR: "1" } });
    assert.equal(plain.out, stripVTControlCharacters(out));
  });

  it("keeps escape sequences of a VM's message from the terminal", async () => {
    const evil = sampleVm("build-1", { message: "\u001b[2Jgone\nnext" });
    const { out } = await runAgainst({ vms: { listVms: () => ({ vms: [evil] }) } }, ["vm", "list"]);
    assert.ok(!out.includes("\u001b"));
    assert.match(out, /gone next$/m);
  });
});

describe("meridian vm create", () => {
  /** Answers creates with the name that was asked for, and keeps the requests. */
  function creating(waitVm?: (request: WaitVmRequest) => object): { script: Script; requests: CreateVmRequest[] } {
    const requests: CreateVmRequest[] = [];
    const script: Script = {
      vms: {
        createVm: (request) => {
          requests.push(request);
          return { vm: sampleVm(request.vmId || "made-up", { state: VmStatus_State.PENDING }) };
        },
        getVm: ({ name }) => ({ vm: sampleVm(name.slice("vms/".length), { state: VmStatus_State.FAILED }) }),
        ...(waitVm !== undefined && { waitVm }),
        async *watchVms() {
          yield {
            type: WatchEventType.ADDED,
            vm: sampleVm("a", { state: VmStatus_State.PENDING, message: pendingMessage }),
          };
        },
      },
    };
    return { script, requests };
  }

  it("prints the name and asks for what the flags say", async () => {
    const { script, requests } = creating();
    const flags =
      "--template macos-15 --id build-1 --cpu 4 --memory 8GiB --disk 65536 --arch arm64 --host mac-1 --require disk=ssd,nvme " +
      "--require cores>8 --require !old --prefer zone!=b --strategy spread --spread-key team --priority 0 --label team=ios " +
      "--annotation url=https://ci/1?a=b --wanted stopped --pending-timeout 1h30m --ready tcp:22 --request-id r1";
    const { exitCode, out } = await runAgainst(script, ["vm", "create", ...flags.split(" ")]);
    assert.deepEqual([exitCode, out], [0, "vms/build-1\n"]);
    const [{ vm, requestId } = { vm: undefined, requestId: "" }] = requests;
    const spec = vm?.spec;
    assert.equal(requestId, "r1");
    assert.equal(spec?.template, "templates/macos-15");
    assert.deepEqual(
      [spec?.resources?.cpuCount, spec?.resources?.memoryMib, spec?.resources?.diskMib],
      [4, 8192, 65_536],
    );
    assert.equal(spec?.placement?.host, "hosts/mac-1");
    assert.deepEqual(
      spec?.placement?.required.map(({ key, operator, values }) => [key, operator, values]),
      [
        ["disk", LabelExpression_Operator.IN, ["ssd", "nvme"]],
        ["cores", LabelExpression_Operator.GT, ["8"]],
        ["old", LabelExpression_Operator.DOES_NOT_EXIST, []],
      ],
    );
    assert.equal(spec?.priority, 0);
    assert.equal(spec?.annotations["url"], "https://ci/1?a=b");
    assert.equal(spec?.pendingTimeout?.seconds, 5400n);
    assert.deepEqual(spec?.readiness?.probe, { case: "tcpPort", value: 22 });
  });

  it("leaves the priority to the server when no flag says it", async () => {
    const { script, requests } = creating();
    await runAgainst(script, ["vm", "create", "--template", "templates/macos-15"]);
    assert.equal(requests[0]?.vm?.spec?.priority, undefined);
    assert.equal(requests[0]?.vm?.spec?.template, "templates/macos-15");
  });

  it("numbers the ids of several", async () => {
    const { script, requests } = creating();
    const { out } = await runAgainst(script, ["vm", "create", "--template", "t", "--id", "b", "--count", "3"]);
    assert.deepEqual(out.trimEnd().split("\n").sort(), ["vms/b-1", "vms/b-2", "vms/b-3"]);
    assert.equal(requests.length, 3);
  });

  it("tells which of several could not be had, and keeps those that could", async () => {
    const picky: Script = {
      vms: {
        createVm: (request) => {
          if (request.vmId === "b-2") throw refusal("RESOURCE_EXISTS", "vms/b-2 exists already");
          return { vm: sampleVm(request.vmId) };
        },
      },
    };
    const { exitCode, out, err } = await runAgainst(picky, [
      "vm",
      "create",
      "--template",
      "t",
      "--id",
      "b",
      "--count",
      "3",
    ]);
    assert.equal(exitCode, 1);
    assert.deepEqual(out.trimEnd().split("\n").sort(), ["vms/b-1", "vms/b-3"]);
    assert.match(err, /vms\/b-2 exists already/);
  });

  it("waits with --wait: the name at once on standard error, and one line on standard output", async () => {
    const { script } = creating(({ name }) => ({ vm: sampleVm(name.slice("vms/".length)) }));
    const { exitCode, out, err } = await runAgainst(script, ["vm", "create", "--template", "t", "--id", "a", "--wait"]);
    assert.equal(exitCode, 0);
    assert.equal(out, "vms/a RUNNING on hosts/mac-1 at 10.211.55.4\n");
    assert.match(err, /^vms\/a\n/);
  });

  it("prints the name alone with --wait -q, also of a VM that does not get ready", async () => {
    const { script } = creating(() => {
      throw refusal("WAIT_HOPELESS", "vms/a has failed");
    });
    const args = ["vm", "create", "--template", "t", "--id", "a", "--wait", "-q"];
    const { exitCode, out } = await runAgainst(script, args);
    assert.deepEqual([exitCode, out], [1, "vms/a\n"]);
  });

  it("shows what a waiting VM waits for on standard error", async () => {
    const release = Promise.withResolvers<void>();
    const { script } = creating(async ({ name }) => {
      await release.promise;
      return { vm: sampleVm(name.slice("vms/".length)) };
    });
    const told: Script = {
      vms: {
        ...script.vms,
        async *watchVms() {
          yield {
            type: WatchEventType.ADDED,
            vm: sampleVm("a", { state: VmStatus_State.PENDING, message: pendingMessage }),
          };
          release.resolve();
        },
      },
    };
    const { err } = await runAgainst(told, ["vm", "create", "--template", "t", "--id", "a", "--wait"]);
    assert.equal(err, `vms/a\nvms/a PENDING: ${pendingMessage}\n`);
  });

  it("fails with the server's reason when the wait has become hopeless", async () => {
    const { script } = creating(() => {
      throw refusal("WAIT_HOPELESS", "vms/a has failed: the image could not be pulled");
    });
    const { exitCode, err } = await runAgainst(script, ["vm", "create", "--template", "t", "--id", "a", "--wait"]);
    assert.equal(exitCode, 1);
    assert.match(err, /the image could not be pulled\. `meridian vm get a` shows what happened when\.\n$/);
  });

  it("ends with 6 when the time is over, and says how to go on", async () => {
    const { script } = creating(() => {
      throw refusal("WAIT_TIMED_OUT", "vms/a is still PENDING");
    });
    const args = ["vm", "create", "--template", "t", "--id", "a", "--wait", "--timeout", "1s"];
    const { exitCode, err } = await runAgainst(script, args);
    assert.equal(exitCode, 6);
    assert.match(err, /meridian vm wait a/);
  });

  it("is wrong usage without a template", async () => {
    const { exitCode, err, calls } = await runAgainst({}, ["vm", "create"]);
    assert.equal(exitCode, 2);
    assert.match(err, /^meridian: --template is missing\. For example:/);
    assert.deepEqual(calls, []);
  });
});

describe("other verbs of meridian vm", () => {
  it("renew leases, and say until when the VMs live", async () => {
    const asked: (bigint | undefined)[] = [];
    const renewing: Script = {
      vms: {
        renewVm: ({ name, leaseDuration }) => {
          asked.push(leaseDuration?.seconds);
          const expireTime = name === "vms/a" ? { seconds: 1_800_000_000n } : undefined;
          return { vm: sampleVm(name.slice("vms/".length), expireTime === undefined ? {} : { expireTime }) };
        },
      },
    };
    const { exitCode, out } = await runAgainst(renewing, ["vm", "renew", "a", "b", "--lease", "1h"]);
    assert.equal(exitCode, 0);
    assert.equal(out, "vms/a lives until 2027-01-15T08:00:00Z\nvms/b gets its lease when it is placed\n");
    await runAgainst(renewing, ["vm", "renew", "a"]);
    assert.deepEqual(asked, [3600n, 3600n, undefined]);
  });

  it("adopt what stands on a host", async () => {
    const adopting: Script = {
      vms: {
        adoptVm: ({ host, hostVm, vmId, spec }) => {
          assert.deepEqual([host, hostVm, vmId], ["hosts/mac-1", "Windows 11", "w"]);
          assert.deepEqual([spec?.labels, spec?.leaseDuration?.seconds], [{ team: "ios" }, 28_800n]);
          return { vm: sampleVm("w") };
        },
      },
    };
    const flags = ["--id", "w", "--label", "team=ios", "--lease", "8h"];
    const { exitCode, out } = await runAgainst(adopting, ["vm", "adopt", "mac-1", "Windows 11", ...flags]);
    assert.deepEqual([exitCode, out], [0, "vms/w RUNNING on hosts/mac-1 at 10.211.55.4\n"]);
  });

  it("delete goes on after a VM that is not there, and ends with its code", async () => {
    const deleted: string[] = [];
    const script: Script = {
      vms: {
        deleteVm: ({ name, force }) => {
          if (name === "vms/b")
            throw refusal("RESOURCE_NOT_FOUND", "vms/b does not exist", { metadata: { resource: name } });
          deleted.push(`${name} ${force}`);
          return { vm: sampleVm(name.slice("vms/".length), { state: VmStatus_State.DELETING }) };
        },
      },
    };
    const { exitCode, err } = await runAgainst(script, ["vm", "delete", "a", "b", "vms/c"]);
    assert.equal(exitCode, 3);
    assert.deepEqual(deleted, ["vms/a true", "vms/c true"]);
    assert.equal(err, "meridian: vms/b does not exist. `meridian vm list` shows what there is.\n");
  });

  it("say what a VM is and what it is to be, and with --wait what it has become", async () => {
    const script: Script = {
      vms: {
        resumeVm: () => ({ vm: sampleVm("a", { state: VmStatus_State.SUSPENDED }) }),
        startVm: () => ({ vm: sampleVm("a") }),
        restartVm: () => ({ vm: sampleVm("a") }),
        deleteVm: () => ({ vm: sampleVm("a", { state: VmStatus_State.PAUSED }) }),
        waitVm: ({ states }) => ({ vm: sampleVm("a", { state: states[0] ?? VmStatus_State.UNSPECIFIED, host: "" }) }),
      },
    };
    const running = "vms/a RUNNING on hosts/mac-1 at 10.211.55.4\n";
    for (const [args, expected] of [
      [["resume"], "vms/a SUSPENDED, to be RUNNING\n"],
      [["start"], running],
      [["restart"], "vms/a RUNNING, to be restarted\n"],
      [["delete"], "vms/a PAUSED, to be DELETED\n"],
      [["delete", "--wait"], "vms/a DELETED at 10.211.55.4\n"],
    ] as const) {
      const { out } = await runAgainst(script, ["vm", ...args, "a"]);
      assert.equal(out, expected, args.join(" "));
    }
  });

  it("exec passes the output through and ends with the guest's code", async () => {
    let start: ExecVmRequest["payload"] | undefined;
    const script: Script = {
      vms: {
        async *execVm(requests) {
          for await (const request of requests) start = request.payload;
          yield { payload: { case: "stdout", value: Buffer.from("out\n") } };
          yield { payload: { case: "stderr", value: Buffer.from("err\n") } };
          yield { payload: { case: "exit", value: { exitCode: 42 } } };
        },
      },
    };
    const { exitCode, out, err } = await runAgainst(script, [
      "vm",
      "exec",
      "a",
      "--env",
      "CI=1",
      "--",
      "ls",
      "-l",
      "--json",
    ]);
    assert.deepEqual([exitCode, out, err], [42, "out\n", "err\n"]);
    assert.equal(start?.case, "start");
    assert.deepEqual(
      [start.value.name, start.value.command, start.value.env],
      ["vms/a", ["ls", "-l", "--json"], { CI: "1" }],
    );
  });

  it("exec without an exit code is no success", async () => {
    const script: Script = {
      vms: {
        async *execVm() {
          yield { payload: { case: "stdout", value: Buffer.from("half") } };
        },
      },
    };
    const { exitCode } = await runAgainst(script, ["vm", "exec", "a", "--", "true"]);
    assert.equal(exitCode, 5);
  });

  it("watch prints a line of JSON for each event, and says where to go on when it breaks off", async () => {
    const script: Script = {
      vms: {
        async *watchVms() {
          yield { type: WatchEventType.ADDED, vm: sampleVm("a"), revision: 7n };
          yield { type: WatchEventType.BOOKMARK, revision: 8n };
        },
      },
    };
    const { exitCode, out, err, calls } = await runAgainst(script, ["vm", "watch", "--json"]);
    const events = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ type, revision }) => [type, revision]),
      [
        ["WATCH_EVENT_TYPE_ADDED", "7"],
        ["WATCH_EVENT_TYPE_BOOKMARK", "8"],
      ],
    );
    assert.equal(exitCode, 5);
    assert.match(err, /--from-revision 8/);
    assert.equal(calls[0]?.timeout, null, "a watch has no deadline");
  });

  it("explain lists hosts with their reasons", async () => {
    const script: Script = {
      vms: {
        explainVm: () => ({
          explanation: {
            summary: "waits",
            queuePosition: 2,
            queueLength: 5,
            verdicts: [
              {
                host: "hosts/mac-1",
                fits: true,
                score: 1.5,
                terms: [{ name: "template_present", value: 1, weight: 1.5 }],
              },
              { host: "hosts/mac-2", fits: false, filter: "memory", message: "8 GiB are missing" },
            ],
          },
        }),
      },
    };
    const { out } = await runAgainst(script, ["vm", "explain", "a"]);
    assert.match(out, /Place in the queue +2 of 5/);
    assert.match(out, /mac-1 +yes +1\.50 +template present 1\.50/);
    assert.match(out, /mac-2 +no +- +8 GiB are missing/);
  });

  it("plan asks for as many as wanted, and shows the probable wait", async () => {
    const counts: number[] = [];
    const script: Script = {
      vms: {
        planVm: ({ count }) => {
          counts.push(count);
          const estimate = {
            wait: { seconds: 360n },
            waitAtWorst: { seconds: 900n },
            observedVms: 120,
            certainty: WaitEstimate_Certainty.HIGH,
          };
          return { explanation: { summary: "8 of 12 would be placed now, 4 would wait", estimate, fitNow: 8 } };
        },
      },
    };
    const { out } = await runAgainst(script, ["vm", "plan", "--template", "t", "--count", "12"]);
    assert.deepEqual(counts, [12]);
    assert.match(out, /^8 of 12 would be placed now/m);
    assert.match(out, /Probable wait +6m, 15m at worst \(of 120 such VMs; certainty high\)/);
  });

  it("get shows the failure and how long each state lasted", async () => {
    const failed = sampleVm("a", {
      state: VmStatus_State.FAILED,
      failure: { reason: "PullFailed", message: "the catalog refused", host: "hosts/mac-1" },
      timeline: [
        { state: VmStatus_State.PENDING, time: { seconds: 1000n }, reason: "Accepted" },
        { state: VmStatus_State.FAILED, time: { seconds: 1090n }, reason: "PullFailed" },
      ],
    });
    const { out } = await runAgainst({ vms: { getVm: () => ({ vm: failed }) } }, ["vm", "get", "a"]);
    assert.match(out, /What +the catalog refused/);
    assert.match(out, /PENDING +1m30s +Accepted/);
  });
});
