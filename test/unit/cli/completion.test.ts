import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { runAgainst, runAlone } from "../../support/cli/meridian.ts";
import { sampleHost, sampleTemplate, sampleVm } from "../../support/cli/samples.ts";
import type { Script } from "../../support/cli/scripted-server.ts";

const script: Script = {
  vms: { listVms: () => ({ vms: [sampleVm("build-1"), sampleVm("test-1")] }) },
  hosts: { listHosts: () => ({ hosts: [sampleHost("mac-1")] }) },
  templates: { listTemplates: () => ({ templates: [sampleTemplate("macos-15")] }) },
};

describe("completion", () => {
  const cases: readonly (readonly [words: readonly string[], expected: readonly string[]])[] = [
    [["vm", "cr"], ["create"]],
    [["vm", "create", "--temp"], ["--template"]],
    [["vm", "create", "--template", ""], ["macos-15"]],
    [["vm", "create", "--template", "=", "mac"], ["macos-15"]],
    [
      ["vm", "create", "--arch", ""],
      ["arm64", "x86_64"],
    ],
    [
      ["vm", "get", ""],
      ["build-1", "test-1"],
    ],
    [["vm", "get", "build-1", "t"], ["test-1"]],
    [["vm", "exec", "b"], ["build-1"]],
    [["vm", "exec", "build-1", "--", ""], []],
    [["vm", "explain", "build-1", ""], []],
    [["host", "vm", "start", "m"], ["mac-1"]],
    [["completion", "z"], ["zsh"]],
    [["comple"], ["completion"]],
  ];
  for (const [words, expected] of cases) {
    it(`of "${words.join(" ")}" offers ${expected.length === 0 ? "nothing" : expected.join(", ")}`, async () => {
      const { exitCode, out } = await runAgainst(script, ["complete", "--", ...words]);
      assert.equal(exitCode, 0);
      assert.deepEqual(
        out
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => line.split("\t")[0]),
        expected,
      );
    });
  }

  it("without a server offers no names, and says nothing", async () => {
    const { exitCode, out, err } = await runAlone(["complete", "--", "vm", "get", ""], {
      environment: { MERIDIAN_SERVER: "127.0.0.1:1" },
    });
    assert.deepEqual([exitCode, out, err], [0, "", ""]);
  });

  it("in bash fills COMPREPLY with what `complete` says", async () => {
    const { out } = await runAlone(["completion", "bash"]);
    const ask = `meridian() { [[ "$*" == "complete -- vm get b" ]] && printf 'build-1\\tRUNNING\\nbuild-2\\t\\n'; }
      COMP_WORDS=(meridian vm get b); COMP_CWORD=3; _meridian; printf '%s,' "\${COMPREPLY[@]}"`;
    const bash = spawnSync("bash", ["-c", `${out}\n${ask}`], { encoding: "utf8", timeout: 5000 });
    assert.deepEqual([bash.stdout, bash.stderr], ["build-1,build-2,", ""]);
  });
});
