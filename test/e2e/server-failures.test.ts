/** What can happen to a server process beside being killed: it freezes, its disk fills up, and somebody starts a second one. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { isConnectionLost } from "../../cli/server-failure.ts";
import { VmStatus_State as State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { LabPool } from "../support/e2e/lab-pool.ts";
import { MeridianProcess, type ServerProcess, startServerProcess } from "../support/e2e/meridian-process.ts";
import { notDeleted, PoolClient } from "../support/e2e/pool-client.ts";

describe("a server process that freezes", function () {
  this.timeout(30_000);
  let pool: LabPool;

  before(async () => {
    pool = await LabPool.open({ hosts: 3, inMemory: true });
  });
  after(() => pool.close());

  it("goes on when it is let, with everything that was asked for meanwhile, and nothing done twice", async () => {
    const before = await Promise.all([0, 1, 2].map((host) => pool.createVm(`before-${host}`, host)));
    pool.server.process.child.kill("SIGSTOP");
    // Their connections are accepted by the system, and answered when the server is awake again.
    const during = [0, 1, 2].map((host) => pool.createVm(`during-${host}`, host));
    await delay(1500);
    pool.server.process.child.kill("SIGCONT");
    const vms = [...before, ...(await Promise.all(during))];
    await Promise.all(vms.map(({ id }) => pool.untilVm(id, State.RUNNING)));
    assert.deepEqual(await pool.settle(), []);
  });
});

describe("a server whose disk is full", function () {
  this.timeout(30_000);
  let scratch: string;
  let server: ServerProcess | undefined;
  let client: PoolClient | undefined;

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-full-"));
  });
  afterEach(async () => {
    client?.close();
    await server?.process.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  it("ends with a clear last word, and starts again, with all that was acknowledged, when there is room", async () => {
    const dataDir = join(scratch, "data");
    const full = await startServerProcess(dataDir, undefined, { fileBlocksMax: 1024 });
    server = full;
    const filling = new PoolClient(full.addresses.grpc);
    client = filling;
    await filling.createLinuxTemplate();
    const acknowledged = await createUntilLost(filling);
    const { exitCode, stderr } = await full.process.end();
    assert.equal(exitCode, 1);
    assert.match(
      stderr.trim().split("\n").at(-1) ?? "",
      /there is no room on the disk\. Make room and start the server/,
    );
    assert.ok(acknowledged.length > 5, `only ${acknowledged.length} VMs fitted`);

    server = await startServerProcess(dataDir, full.addresses);
    const found = (await filling.listVms(notDeleted)).map(({ name }) => name);
    assert.deepEqual(
      acknowledged.filter((name) => !found.includes(name)),
      [],
    );
  });
});

describe("a second server on the same data directory", function () {
  this.timeout(30_000);
  let scratch: string;
  let first: ServerProcess;
  let client: PoolClient;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-second-"));
    first = await startServerProcess(join(scratch, "data"));
    client = new PoolClient(first.addresses.grpc);
  });
  after(async () => {
    client.close();
    await first.process.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  it("is refused with exit code 1 and the process that has it, and the first goes on unharmed", async () => {
    await client.createLinuxTemplate();
    const any = "127.0.0.1:0";
    const second = new MeridianProcess(
      ["server", "--insecure", `--data-dir=${join(scratch, "data")}`].concat(
        ["--listen", "--agent-listen", "--http-listen"].map((flag) => `${flag}=${any}`),
      ),
    );
    const { exitCode, stderr } = await second.end();
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`process ${first.process.child.pid}\\b`));
    await client.vms.createVm({ vmId: "a", requestId: "a", vm: { spec: { template: "templates/linux" } } });
    await first.process.stop("SIGKILL");
    first = await startServerProcess(join(scratch, "data"), first.addresses);
    assert.equal((await client.listVms()).length, 1);
  });
});

/** Large VMs, one after the other, until the server is gone. */
async function createUntilLost(client: PoolClient): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  const annotations = Object.fromEntries([1, 2, 3].map((n) => [`filler-${n}`, "x".repeat(4000)]));
  for (let number = 1; number < 1000; number += 1) {
    const vmId = `vm-${number}`;
    const spec = { template: "templates/linux", annotations };
    try {
      await client.vms.createVm({ vmId, requestId: vmId, vm: { spec } });
    } catch (error) {
      if (isConnectionLost(error)) return acknowledged;
      throw error;
    }
    acknowledged.push(`vms/${vmId}`);
  }
  throw new Error("the disk is not full after 1,000 large VMs");
}
