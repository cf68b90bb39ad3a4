/** A process full of scripted agents; it ends with the process that started it. */
import type { TlsCredentials } from "../../../agent/link/tls-credentials.ts";
import { forEachConcurrently } from "../concurrently.ts";
import { momentMs } from "../moment.ts";
import type { FleetOrder, FleetReport } from "./fleet-messages.ts";
import { ScriptedAgent } from "./scripted-agent.ts";
import { enrolHost } from "./secure-access.ts";

/** How many agents dial at once: more only wait for each other on two cores. */
const dialingMax = 64;
/** And how many enrol. */
const enrollingMax = 8;

process.on("message", (order: FleetOrder) => void connect(order));
process.once("disconnect", () => process.exit());
process.on("uncaughtException", (error) => {
  report({ kind: "failed", message: error.stack ?? error.message });
});

async function connect({ server, first, count, heartbeatPeriodMs, joinToken }: FleetOrder): Promise<void> {
  const hosts = Array.from({ length: count }, (_, index) => `mac-${first + index}`);
  const shown = joinToken === undefined ? undefined : await enrolAll(joinToken, hosts);
  const waiting = hosts.map((host) => {
    let wasOpen = false;
    const credentials = shown?.get(host);
    return new ScriptedAgent({
      host,
      server,
      heartbeatPeriodMs,
      ...(credentials === undefined ? {} : { credentials }),
      onOpen: () => {
        if (wasOpen) return;
        wasOpen = true;
        open += 1;
        if (open === count) report({ kind: "connected" });
        waiting.pop()?.connect();
      },
      onDeleted: (vmUid) => report({ kind: "deleted", vmUid, atMs: momentMs() }),
    });
  });
  let open = 0;
  for (const agent of waiting.splice(-dialingMax)) agent.connect();
}

async function enrolAll(joinToken: string, hosts: readonly string[]): Promise<ReadonlyMap<string, TlsCredentials>> {
  const shown = new Map<string, TlsCredentials>();
  await forEachConcurrently(hosts, enrollingMax, async (host) => {
    shown.set(host, await enrolHost(joinToken, host));
  });
  return shown;
}

function report(message: FleetReport): void {
  process.send?.(message);
}
