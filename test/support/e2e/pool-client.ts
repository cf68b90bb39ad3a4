/** A client of a server in a process of its own: the services, and a few questions that many tests ask. */
import { type Client, createClient } from "@connectrpc/connect";
import { openTransport } from "../../../cli/connection.ts";
import { goldenLinux } from "../../../cli/lab/lab-images.ts";
import { HostService } from "../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import type { Vm } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";

export class PoolClient {
  readonly vms: Client<typeof VmService>;
  readonly hosts: Client<typeof HostService>;
  readonly templates: Client<typeof TemplateService>;
  readonly pool: Client<typeof PoolService>;
  readonly close: () => void;

  /** @param server its gRPC address. */
  constructor(server: string, timeoutMs = 20_000) {
    const { transport, close } = openTransport({ server, timeoutMs });
    this.vms = createClient(VmService, transport);
    this.hosts = createClient(HostService, transport);
    this.templates = createClient(TemplateService, transport);
    this.pool = createClient(PoolService, transport);
    this.close = close;
  }

  /** A small Linux template, `templates/linux`, that every simulated Mac has. */
  async createLinuxTemplate(): Promise<void> {
    await this.templates.createTemplate({
      templateId: "linux",
      template: {
        spec: {
          source: { case: "hostVm", value: { vmName: goldenLinux.name } },
          guestOs: GuestOs.LINUX,
          architecture: Architecture.ARM64,
          resources: { cpuCount: 1, memoryMib: 1024, diskMib: 32_768 },
          readiness: { probe: { case: "guestTools", value: true }, periodMs: 100, timeoutSeconds: 60 },
        },
      },
    });
  }

  /** All VMs that the filter lets through, on whatever page. */
  async listVms(filter = ""): Promise<readonly Vm[]> {
    const all: Vm[] = [];
    for (let pageToken = ""; ; ) {
      const { vms, nextPageToken } = await this.vms.listVms({ filter, pageSize: 1000, pageToken });
      all.push(...vms);
      if (nextPageToken === "") return all;
      pageToken = nextPageToken;
    }
  }

  async countPlaceableHosts(): Promise<number> {
    const { hosts } = await this.hosts.listHosts({ pageSize: 1000 });
    return hosts.filter(({ status }) => status?.placeable).length;
  }
}

/** The filter for VMs that are still there. */
export const notDeleted = "NOT status.state = DELETED";
