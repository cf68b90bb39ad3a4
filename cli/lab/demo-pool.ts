/** The demo's pool: a server with a data directory of its own, three simulated Macs, and a client. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { type RunningServer, startServer } from "../../server/server.ts";
import { systemClock } from "../../shared/clock.ts";
import { CatalogService } from "../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { HostService } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { TemplateService } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmService } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { randomIds } from "../../shared/ids.ts";
import { createLogger } from "../../shared/log.ts";
import type { Delays } from "../../simulator/delays.ts";
import { openTransport } from "../connection.ts";
import { readVersion } from "../version.ts";
import { goldenLinux, labCatalog } from "./lab-images.ts";
import { createJitter, type SimulatedHost, startSimulatedHost } from "./simulated-host.ts";

export interface DemoPool {
  readonly server: RunningServer;
  readonly hosts: readonly SimulatedHost[];
  readonly vms: Client<typeof VmService>;
  readonly hostClient: Client<typeof HostService>;
  readonly templates: Client<typeof TemplateService>;
  readonly catalogs: Client<typeof CatalogService>;
  /** Ends everything and removes its files. */
  close(): Promise<void>;
}

export interface DemoPoolOptions {
  readonly hosts: number;
  /** The ports to take, or 0 for free ones. */
  readonly ports: { readonly grpc: number; readonly agent: number; readonly http: number };
}

/** Fast enough to watch, slow enough to see: a pull takes seconds instead of minutes. */
const demoDelays: Partial<Delays> = {
  download: [2_000, 3_000],
  unpack: [300, 600],
  addToParallels: [100, 300],
  catalog: [50, 150],
  start: [300, 700],
  stop: [300, 700],
  boot: [700, 1_500],
  vmUpdate: [50, 100],
  delete: [200, 400],
  configure: [50, 150],
};

export async function startDemoPool({ hosts: hostCount, ports }: DemoPoolOptions): Promise<DemoPool> {
  const log = createLogger("meridian-demo", { level: "error" });
  const scratch = await mkdtemp(join(tmpdir(), "meridian-demo-"));
  const closers: (() => Promise<void>)[] = [() => rm(scratch, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    // The last that was opened is closed first; a second call finds nothing to do.
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  try {
    const server = await startServer({
      dataDir: join(scratch, "data"),
      listen: { host: "127.0.0.1", port: ports.grpc },
      agentListen: { host: "127.0.0.1", port: ports.agent },
      httpListen: { host: "127.0.0.1", port: ports.http },
      insecure: true,
      clock: systemClock,
      ids: randomIds,
      log,
      version: readVersion(),
    });
    closers.push(() => server.close());
    const hosts = await Promise.all(
      Array.from({ length: hostCount }, (_, index) =>
        startSimulatedHost({
          servers: [server.addresses.agent],
          hostId: `mac-${index + 1}`,
          mac: {
            index,
            vms: [goldenLinux],
            catalog: labCatalog,
            delays: demoDelays,
            realExecute: true,
            seed: index + 1,
          },
          log,
          agentVersion: readVersion(),
          random: createJitter(index + 1),
        }),
      ),
    );
    closers.push(async () => {
      await Promise.all(hosts.map((host) => host.close()));
    });
    const { transport, close: closeTransport } = openTransport({ server: server.addresses.grpc, timeoutMs: 60_000 });
    closers.push(async () => closeTransport());
    return {
      server,
      hosts,
      vms: createClient(VmService, transport),
      hostClient: createClient(HostService, transport),
      templates: createClient(TemplateService, transport),
      catalogs: createClient(CatalogService, transport),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
