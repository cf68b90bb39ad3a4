import assert from "node:assert/strict";
import type { ErrorReason } from "../../../shared/errors.ts";
import { runAgainst, runAlone } from "../../support/cli/meridian.ts";
import { sampleVm } from "../../support/cli/samples.ts";
import { refusal } from "../../support/cli/scripted-server.ts";

/** Port 1 of loopback: nothing listens there. */
const nowhere = { MERIDIAN_SERVER: "127.0.0.1:1" };

describe("failures of the command line", () => {
  const codes: readonly (readonly [ErrorReason, number])[] = [
    ["STATE_NOT_ALLOWED", 1],
    ["FIELD_INVALID", 2],
    ["RESOURCE_NOT_FOUND", 3],
    ["SERVER_NOT_SERVING", 5],
    ["HOST_TIMED_OUT", 6],
  ];
  for (const [reason, expected] of codes) {
    it(`${reason} ends with ${expected} and the server's own sentence`, async () => {
      const script = {
        vms: {
          getVm: () => {
            throw refusal(reason, "this is why");
          },
        },
      };
      const { exitCode, out, err } = await runAgainst(script, ["vm", "get", "a"]);
      assert.deepEqual([exitCode, out], [expected, ""]);
      assert.match(err, /^meridian: this is why\..*\n$/);
    });
  }

  it("with --json the failure is one line of JSON on standard error", async () => {
    const script = {
      vms: {
        getVm: () => {
          throw refusal("FIELD_INVALID", "name: too long", { fields: [{ field: "name", description: "too long" }] });
        },
      },
    };
    const { out, err } = await runAgainst(script, ["vm", "get", "a", "--json"]);
    assert.equal(out, "");
    const { error } = JSON.parse(err);
    assert.deepEqual([error.code, error.reason, error.exitCode], ["INVALID_ARGUMENT", "FIELD_INVALID", 2]);
    assert.deepEqual(error.fields, [{ field: "name", description: "too long" }]);
  });

  it("lists every wrong field that the message leaves out", async () => {
    const fields = [
      { field: "spec.cpu", description: "too many" },
      { field: "spec.disk", description: "too small" },
    ];
    const script = {
      vms: {
        getVm: () => {
          throw refusal("FIELD_INVALID", "the request is wrong", { fields });
        },
      },
    };
    const { err } = await runAgainst(script, ["vm", "get", "a"]);
    assert.match(err, /the request is wrong: spec\.cpu: too many; spec\.disk: too small\./);
  });

  it("a server that is away ends with 5, names the address and says how to start one", async () => {
    const { exitCode, err } = await runAlone(["vm", "list"], { environment: nowhere });
    assert.equal(exitCode, 5);
    assert.match(err, /cannot reach a server at 127\.0\.0\.1:1: connection refused\. Start one with `meridian server /);
  });

  it("a server that does not answer in time ends with 6", async () => {
    const script = {
      vms: { getVm: () => new Promise<never>(() => undefined) },
    };
    const { exitCode, err } = await runAgainst(script, ["vm", "get", "a", "--timeout", "100ms"]);
    assert.equal(exitCode, 6);
    assert.match(err, /did not answer within 100ms/);
  });

  it("plain text to another machine is refused before anything is sent", async () => {
    for (const server of ["10.0.0.5:7070", "mac.example.com:7070", "[2001:db8::1]:7070"]) {
      const { exitCode, err } = await runAlone(["vm", "list", "--insecure", "--server", server]);
      assert.equal(exitCode, 2, server);
      assert.match(err, /this machine only.*is another.*--ca-fingerprint/, server);
    }
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ["vm lst", /unknown command 'lst'\. Did you mean list\?/],
    ["vm list --jsn", /unknown option '--jsn'\. Did you mean --json\?/],
    ["vm create --memory 8XB", /'8XB' is invalid.*8GiB/],
    ["vm create --require =", /is invalid\. Write key=value/],
    ["vm get", /missing required argument 'vm'/],
    ["vm get hosts/a", /hosts\/a stands in hosts/],
    ["vm exec a ls -l", /unknown option '-l'\. Put -- before the guest's command\./],
    ["host vm pause mac-1 x --force", /pause cannot be forced/],
    ["template create --host-vm a --catalog b", /is missing|exclude/],
    ["server --data-dir x --insecure --tls-cert a --tls-key b", /--insecure speaks no TLS/],
    ["server --data-dir x --tls-cert a", /go together/],
    ["agent --join-token mjt1.abc.defgh --parallels-api-key k", /cut or altered/],
    ["simulate --hosts 1", /either --join-token or --insecure/],
    ["token create", /what the token is for is missing/],
    ["server --insecure --data-dir x --listen 0.0.0.0:7070", /--listen 0\.0\.0\.0:7070 can be reached from outside/],
    ["agent --insecure --server 192.168.1.1:7071", /192\.168\.1\.1:7071 can be reached from outside/],
    ["agent --insecure", /needs either an API key or a user/],
  ];
  for (const [line, expected] of wrong) {
    it(`\`meridian ${line}\` is wrong usage`, async () => {
      const { exitCode, out, err } = await runAlone(line.split(" "), { environment: nowhere });
      assert.deepEqual([exitCode, out], [2, ""]);
      assert.match(err, expected);
      assert.equal(err.trimEnd().split("\n").length, 1, err);
    });
  }

  it("a noun without a verb shows its help and is wrong usage", async () => {
    const { exitCode, err } = await runAlone(["vm"]);
    assert.equal(exitCode, 2);
    assert.match(err, /Usage: meridian vm/);
  });

  it("help that was asked for is no failure", async () => {
    const { exitCode, out } = await runAlone(["vm", "create", "--help"]);
    assert.equal(exitCode, 0);
    assert.match(out, /Examples:/);
  });
});

describe("where flags come from", () => {
  it("the token goes into every call, from the environment or, before it, from the flag", async () => {
    const script = { vms: { getVm: () => ({ vm: sampleVm("a") }) } };
    const environment = { MERIDIAN_TOKEN: "from-environment" };
    const fromEnvironment = await runAgainst(script, ["vm", "get", "a"], { environment });
    assert.equal(fromEnvironment.calls[0]?.authorization, "Bearer from-environment");
    const fromFlag = await runAgainst(script, ["vm", "get", "a", "--token", "from-flag"], { environment });
    assert.equal(fromFlag.calls[0]?.authorization, "Bearer from-flag");
  });

  it("connection flags may also stand before the noun", async () => {
    const { err } = await runAlone(["--server", "127.0.0.1:1", "vm", "list"]);
    assert.match(err, /127\.0\.0\.1:1: connection refused/);
  });

  it("every flag has a variable, and a yes-or-no one says yes or no", async () => {
    const script = { vms: { listVms: () => ({ vms: [sampleVm("a")] }) } };
    const yes = await runAgainst(script, ["vm", "list"], { environment: { MERIDIAN_QUIET: "true" } });
    assert.equal(yes.out, "vms/a\n");
    const no = await runAgainst(script, ["vm", "list"], { environment: { MERIDIAN_QUIET: "false" } });
    assert.match(no.out, /^NAME/);
    const neither = await runAgainst(script, ["vm", "list"], { environment: { MERIDIAN_QUIET: "perhaps" } });
    assert.equal(neither.exitCode, 2);
    assert.match(neither.err, /MERIDIAN_QUIET has the invalid value "perhaps"/);
  });

  it("every call has a deadline: thirty seconds unless a flag says another", async () => {
    const script = { vms: { getVm: () => ({ vm: sampleVm("a") }) } };
    const usual = await runAgainst(script, ["vm", "get", "a"]);
    assert.equal(usual.calls[0]?.timeout, "30000m");
    const longer = await runAgainst(script, ["vm", "get", "a", "--timeout", "2m"]);
    assert.equal(longer.calls[0]?.timeout, "120000m");
  });
});
