import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { VmSchema, VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { refusal } from "../../support/cli/scripted-server.ts";

describe("--token-command", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "meridian-token-command-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Prints token-1, token-2 and so on, one more each time that it runs. */
  const counting = (): string => {
    const file = join(directory, "runs");
    return `echo run >> ${file}; echo token-$(wc -l < ${file} | tr -d ' ')`;
  };
  const runs = async (): Promise<number> => (await readFile(join(directory, "runs"), "utf8")).split("\n").length - 1;

  it("is run once for a verb's calls, and its output sent as their token", async () => {
    const vms = { getVm: () => ({ vm: create(VmSchema, { name: "vms/a" }) }) };
    const environment = { PATH: process.env["PATH"] ?? "", MERIDIAN_TOKEN_COMMAND: counting() };
    const { calls, err } = await runAgainst({ vms }, ["vm", "get", "a", "b", "c"], { environment });
    assert.deepEqual(
      calls.map(({ authorization }) => authorization),
      ["Bearer token-1", "Bearer token-1", "Bearer token-1"],
      err,
    );
    assert.equal(await runs(), 1);
  });

  it("is run again when the token ends during a wait, which goes on", async () => {
    let answers = 0;
    const vms = {
      getVm: () => ({ vm: create(VmSchema, { name: "vms/a" }) }),
      waitVm: () => {
        answers += 1;
        if (answers === 1) throw refusal("CREDENTIALS_INVALID", "the token expired");
        return { vm: create(VmSchema, { name: "vms/a", status: { state: VmStatus_State.RUNNING } }) };
      },
    };
    const environment = { PATH: process.env["PATH"] ?? "" };
    const ran = await runAgainst({ vms }, ["vm", "wait", "a", "--token-command", counting()], { environment });
    assert.equal(ran.exitCode, 0, ran.err);
    const waits = ran.calls.filter(({ name }) => name === "WaitVm");
    assert.deepEqual(
      waits.map(({ authorization }) => authorization),
      ["Bearer token-1", "Bearer token-2"],
    );
  });

  it("is not run for ever when the server takes none of its tokens", async () => {
    const vms = {
      getVm: () => ({ vm: create(VmSchema, { name: "vms/a" }) }),
      waitVm: () => {
        throw refusal("CREDENTIALS_INVALID", "the token is for another audience");
      },
    };
    const environment = { PATH: process.env["PATH"] ?? "" };
    const ran = await runAgainst({ vms }, ["vm", "wait", "a", "--token-command", counting()], { environment });
    assert.equal(ran.exitCode, 4);
    assert.match(ran.err, /for another audience/);
    assert.equal(ran.calls.filter(({ name }) => name === "WaitVm").length, 2);
  });

  it("gives way to a token that is said outright", async () => {
    const vms = { getVm: () => ({ vm: create(VmSchema, { name: "vms/a" }) }) };
    const line = ["vm", "get", "a", "--token", "said", "--token-command", "exit 1"];
    const { calls } = await runAgainst({ vms }, line);
    assert.equal(calls[0]?.authorization, "Bearer said");
  });

  const failures: readonly (readonly [string, RegExp])[] = [
    ["echo not for everybody >&2; exit 3", /token command failed: it ended with exit code 3: not for everybody/],
    ["true", /it must print a token and nothing else/],
    ["echo secret-a secret-b", /it must print a token and nothing else/],
    ["no-such-command-here", /it ended with exit code 127/],
  ];
  for (const [command, message] of failures) {
    it(`tells why no token came of \`${command}\`, and nothing of what it printed`, async () => {
      const ran = await runAgainst({}, ["vm", "get", "a", "--token-command", command], {
        environment: { PATH: process.env["PATH"] ?? "" },
      });
      assert.equal(ran.exitCode, 4);
      assert.match(ran.err, message);
      assert.doesNotMatch(ran.err, /secret-/);
      assert.deepEqual(ran.calls, []);
    });
  }
});
