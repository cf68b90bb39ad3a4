import { readdir, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { VmStatus_State as State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { PoolUnderLoad } from "../load/pool-under-load.ts";
import type { RunResult } from "../metrics.ts";
import { momentMs, pause } from "../moment.ts";
import type { Scenario } from "../scenario.ts";
import { makeRunning } from "./slot-reuse.ts";

/** How long the agents may take to return, in ms. */
const returnMaxMs = 30_000;

/** A power cut under a full pool: from the start of the new process to the first answer of GetPool, with all VMs in it. */
export const restart10k: Scenario = {
  name: "restart-10k",
  title: "killed with 10,000 VMs running on 1,000 hosts: serving again",
  bars: { serving_ms: 500 },
  async measure({ isShort, openPool }) {
    const hosts = isShort ? 5 : 1_000;
    const vmCount = hosts * 10;
    const pool = await openPool({ hosts, clients: 4 });
    await makeRunning(pool, "linux", vmCount);
    pool.watch.close();
    const results: RunResult[] = [];
    for (let run = 0; run < (isShort ? 1 : 5); run += 1) {
      results.push(await timeRestart(pool, vmCount));
      await untilAllRun(pool, vmCount);
    }
    return results;
  },
};

async function timeRestart(pool: PoolUnderLoad, vmCount: number): Promise<RunResult> {
  await pool.killServer();
  const storeMib = await sizeMib(pool.server.dataDir);
  const startMs = momentMs();
  pool.startServer();
  while (!(await canConnect(pool.addresses.grpc))) await pause(1);
  pool.replaceClients();
  const { vmStates } = await pool.readPool();
  const servingMs = momentMs() - startMs;
  const kept = vmStates.reduce((sum, { count }) => sum + count, 0);
  if (kept !== vmCount) throw new Error(`of ${vmCount} VMs ${kept} are there after the restart`);
  const usage = pool.server.usage();
  return { serving_ms: servingMs, store_mib: storeMib, ...(usage === undefined ? {} : { rss_mib: usage.peakRssMib }) };
}

/** Of all files in a folder. */
async function sizeMib(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}

/** The agents return by themselves, and every VM is RUNNING as before. */
async function untilAllRun(pool: PoolUnderLoad, vmCount: number): Promise<void> {
  const endMs = momentMs() + returnMaxMs;
  for (;;) {
    const { vmStates, totals } = await pool.readPool();
    const running = vmStates.find(({ state }) => state === State.RUNNING)?.count ?? 0;
    if (running === vmCount && totals[0]?.hostsReady === vmCount / 10) return;
    if (momentMs() > endMs) throw new Error(`of ${vmCount} VMs only ${running} run again after the restart`);
    await pause(50);
  }
}

function canConnect(address: string): Promise<boolean> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    const finish = (isConnected: boolean): void => {
      socket.destroy();
      resolve(isConnected);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}
