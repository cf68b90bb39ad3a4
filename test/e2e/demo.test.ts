import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { runMeridian } from "../support/e2e/meridian-process.ts";

describe("meridian demo --once", () => {
  it("tells its story, leaves no VM on any Mac, and ends with 0 within a minute", async function () {
    this.timeout(60_000);
    const { exitCode, stdout, stderr } = await runMeridian(["demo", "--once"]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /vms\/build-1 is ready at 127\./);
    assert.match(stdout, /hello from/);
    assert.match(stdout, /exit code 7/);
    assert.match(stdout, /has to wait, and says why: "waiting .*no free macOS slot"/);
    assert.match(stdout, /no Mac shows one of them any more/);
    assert.equal(stderr, "");
  });
});
