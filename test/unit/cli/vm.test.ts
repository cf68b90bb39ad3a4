import assert from "node:assert/strict";
import { run } from "../../../cli/main.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { captureTerminal } from "../../support/cli/captured-terminal.ts";
import { sampleVm } from "../../support/cli/samples.ts";
import { type Script, type ScriptedServer, startScriptedServer } from "../../support/cli/scripted-server.ts";

describe("meridian vm", () => {
  let server: ScriptedServer | undefined;

  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  /** Runs the verb against a server with this script. */
  async function meridian(script: Script, args: readonly string[], columns?: number) {
    server ??= await startScriptedServer(script);
    const terminal = captureTerminal({
      environment: { MERIDIAN_SERVER: server.address },
      ...(columns !== undefined && { columns }),
    });
    const exitCode = await run(args, terminal);
    return { exitCode, out: terminal.out(), err: terminal.err() };
  }

  describe("list", () => {
    const listing: Script = {
      vms: {
        listVms: ({ pageToken }) =>
          pageToken === ""
            ? { vms: [sampleVm("build-1")], nextPageToken: "second" }
            : {
                vms: [
                  sampleVm("build-2", {
                    state: VmStatus_State.PENDING,
                    message: "no host has a free macOS slot",
                    host: "",
                  }),
                ],
              },
      },
    };

    it("shows all pages as one table", async () => {
      const { exitCode, out, err } = await meridian(listing, ["vm", "list"]);
      assert.equal(exitCode, 0);
      assert.equal(err, "");
      const lines = out.trimEnd().split("\n");
      assert.equal(lines.length, 3);
      assert.match(lines[0] ?? "", /^NAME +STATE +TEMPLATE +HOST +ADDRESS +AGE +MESSAGE$/);
      assert.match(lines[1] ?? "", /^build-1 +RUNNING +macos-15 +mac-1 +10\.211\.55\.4 /);
      assert.match(lines[2] ?? "", /^build-2 +PENDING .* no host has a free macOS slot$/);
    });

    it("prints names alone with -q", async () => {
      const { out } = await meridian(listing, ["vm", "list", "-q"]);
      assert.equal(out, "vms/build-1\nvms/build-2\n");
    });

    it("prints protobuf JSON under the plural with --json", async () => {
      const { out } = await meridian(listing, ["vm", "list", "--json"]);
      const parsed = JSON.parse(out);
      assert.deepEqual(
        parsed.vms.map((vm: { name: string; status: { state: string } }) => [vm.name, vm.status.state]),
        [
          ["vms/build-1", "STATE_RUNNING"],
          ["vms/build-2", "STATE_PENDING"],
        ],
      );
    });

    it("stops at the limit and says that there are more", async () => {
      const { out, err } = await meridian(listing, ["vm", "list", "-q", "--limit", "1"]);
      assert.equal(out, "vms/build-1\n");
      assert.match(err, /more than 1/);
    });

    it("never prints wider than the terminal", async () => {
      const { out } = await meridian(listing, ["vm", "list"], 60);
      // oxlint-disable-next-line no-control-regex -- colours are control characters
      for (const line of out.replaceAll(/\u001b\[\d+m/g, "").split("\n")) assert.ok(line.length <= 60, line);
    });
  });
});
