/** A process full of scripted agents; it ends with the process that started it. */
import { momentMs } from "../moment.ts";
import type { FleetOrder, FleetReport } from "./fleet-messages.ts";
import { ScriptedAgent } from "./scripted-agent.ts";

/** How many agents dial at once: more only wait for each other on two cores. */
const dialingMax = 64;

process.on("message", (order: FleetOrder) => connect(order));
process.once("disconnect", () => process.exit());
process.on("uncaughtException", (error) => {
  report({ kind: "failed", message: error.stack ?? error.message });
});

function connect({ server, first, count, heartbeatPeriodMs }: FleetOrder): void {
  const waiting = Array.from({ length: count }, (_, index) => {
    let wasOpen = false;
    return new ScriptedAgent({
      host: `mac-${first + index}`,
      server,
      heartbeatPeriodMs,
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

function report(message: FleetReport): void {
  process.send?.(message);
}
