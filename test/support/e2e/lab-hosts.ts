/**
 * Simulated Macs with real agents for tests with a real server process. The agents dial again at once, where those of a real
 * pool take their time: a server that dies every second shall have hosts all the same.
 */
import { defaultLinkTuning } from "../../../agent/link/link.ts";
import { goldenLinux } from "../../../cli/lab/lab-images.ts";
import { createJitter, type SimulatedHost, startSimulatedHost } from "../../../cli/lab/simulated-host.ts";
import { silentLogger } from "../../../shared/log.ts";
import type { Delays } from "../../../simulator/delays.ts";

export interface LabHostsOptions {
  /** Where each host's agent dials; as many hosts as addresses. */
  readonly agentAddresses: readonly string[];
  /** Leave HTTP out between agent and Mac. */
  readonly inMemory: boolean;
  readonly delays?: Partial<Delays>;
}

/** Short, and long enough for a fault to meet every phase of a VM's life. */
export const labDelays: Partial<Delays> = {
  clone: [20, 120],
  start: [10, 60],
  boot: [10, 100],
  stop: [10, 60],
  delete: [10, 60],
};

export function startLabHosts(options: LabHostsOptions): Promise<readonly SimulatedHost[]> {
  return Promise.all(options.agentAddresses.map((address, index) => startLabHost(options, { address, index })));
}

function startLabHost(
  options: LabHostsOptions,
  { address, index }: { readonly address: string; readonly index: number },
): Promise<SimulatedHost> {
  return startSimulatedHost({
    servers: [address],
    hostId: `mac-${index + 1}`,
    mac: {
      index,
      vms: [goldenLinux],
      instant: true,
      delays: options.delays ?? labDelays,
      seed: index + 1,
    },
    inMemory: options.inMemory,
    log: silentLogger,
    agentVersion: "test",
    random: createJitter(index + 1),
    tuning: { link: { ...defaultLinkTuning, backoff: { baseMs: 20, capMs: 200 } } },
  });
}
