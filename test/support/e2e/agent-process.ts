/** An agent as a process of its own, on a simulated Mac that outlives it. */
import type { RunningMac } from "../../../simulator/simulated-mac.ts";
import { MeridianProcess } from "./meridian-process.ts";
import { until } from "./until.ts";

export interface AgentProcessOptions {
  readonly mac: RunningMac;
  readonly dataDir: string;
  /** Where it dials. */
  readonly server: string;
  readonly hostId: string;
}

export function spawnAgent({ mac, dataDir, server, hostId }: AgentProcessOptions): MeridianProcess {
  return new MeridianProcess(
    [
      "agent",
      "--insecure",
      `--server=${server}`,
      `--host=${hostId}`,
      `--data-dir=${dataDir}`,
      `--parallels-url=${mac.url}`,
    ],
    { environment: { MERIDIAN_PARALLELS_API_KEY: mac.apiKey } },
  );
}

/** Starts an agent and waits until its server has welcomed it. */
export async function startAgentProcess(options: AgentProcessOptions): Promise<MeridianProcess> {
  const agent = spawnAgent(options);
  await until("the agent is connected", () => {
    if (!agent.isRunning) throw new Error(`the agent ended: ${agent.stderr}`);
    return agent.stderr.includes('"connected to server"');
  });
  return agent;
}
