/** A backup is made of a server that serves, the server is lost, and another one goes on with what was backed up. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { VmStatus_State as State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { LabPool } from "../support/e2e/lab-pool.ts";
import { runMeridian } from "../support/e2e/meridian-process.ts";

describe("a pool whose server is lost and restored from a backup", function () {
  this.timeout(60_000);
  let pool: LabPool;

  before(async () => {
    pool = await LabPool.open({ hosts: 2, inMemory: true });
  });
  after(() => pool.close());

  it("takes its hosts and VMs up again, as they were wanted then, and never counts as before", async () => {
    const kept = await pool.createVm("kept", 0);
    const stopped = await pool.createVm("stopped", 1);
    await Promise.all([kept, stopped].map(({ id }) => pool.untilVm(id, State.RUNNING)));
    const file = join(pool.scratch, "pool.backup");
    const backup = await runMeridian(["pool", "backup", "--output", file, "--server", pool.server.addresses.grpc]);
    assert.equal(backup.exitCode, 0, backup.stderr);

    // What comes after the backup is lost, and the agents remember it.
    await pool.stopVm(stopped);
    await pool.untilVm("stopped", State.STOPPED);
    const revision = await readRevision();
    const epochs = await readEpochs();
    await pool.server.process.stop("SIGKILL");
    await rm(pool.dataDir, { recursive: true });
    const restore = await runMeridian(["server", "restore", "--data-dir", pool.dataDir, "--from", file]);
    assert.equal(restore.exitCode, 0, restore.stderr);
    await pool.startServer();

    await pool.untilPlaceable();
    assert.ok((await readRevision()) > revision);
    const epochsAfter = await readEpochs();
    assert.ok(epochs.every((epoch, index) => (epochsAfter[index] ?? 0n) > epoch));
    // It was wanted running when the backup was made: the agent takes the command, though it has seen later ones.
    await Promise.all(["kept", "stopped"].map((id) => pool.untilVm(id, State.RUNNING)));
    assert.equal((await pool.readVm("kept"))?.uid, kept.uid);
    await pool.createVm("later");
    await pool.untilVm("later", State.RUNNING);
    await Promise.all(["kept", "stopped", "later"].map((id) => pool.client.vms.deleteVm({ name: `vms/${id}` })));
    await Promise.all(["kept", "stopped", "later"].map((id) => pool.untilVm(id, State.DELETED)));
    assert.deepEqual([pool.watch.uids(), pool.watch.doubled], [[], []]);
  });

  async function readRevision(): Promise<bigint> {
    return (await pool.client.pool.getPool({})).pool?.revision ?? 0n;
  }

  async function readEpochs(): Promise<readonly bigint[]> {
    const { hosts } = await pool.client.hosts.listHosts({ orderBy: "name" });
    return hosts.map(({ status }) => status?.sessionEpoch ?? 0n);
  }
});
