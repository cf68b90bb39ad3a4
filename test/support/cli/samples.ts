/** Resources as a server would return them, for tests of how they are shown. All ages count from `sampleNowMs`. */
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Host, HostSchema, HostStatus_State } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import { type Template, TemplateSchema, TemplateStatus_State } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import { Architecture, Condition_State, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { type Vm, VmSchema, VmStatus_State, type VmStatusSchema } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";

export const sampleNowMs = Date.UTC(2026, 10, 22, 12, 0, 0);

/** A moment so many seconds before `sampleNowMs`. */
export function before(seconds: number) {
  return timestampFromMs(sampleNowMs - seconds * 1000);
}

/** Plain fields, not a finished message, so that they can be spread. */
type Init<Schema extends DescMessage> = Exclude<MessageInitShape<Schema>, { readonly $typeName: string }>;

/** A running VM, or what the status makes of it. */
export function sampleVm(id: string, status: Init<typeof VmStatusSchema> = {}): Vm {
  return create(VmSchema, {
    name: `vms/${id}`,
    uid: "0".repeat(32),
    spec: { template: "templates/macos-15", labels: { team: "ios" } },
    status: {
      state: VmStatus_State.RUNNING,
      host: "hosts/mac-1",
      ipAddresses: ["10.211.55.4"],
      resources: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
      guestOs: GuestOs.MACOS,
      architecture: Architecture.ARM64,
      attempt: 1,
      ...status,
    },
    createTime: before(300),
    etag: "1",
  });
}

export function sampleHost(id: string, init: Init<typeof HostSchema> = {}): Host {
  return create(HostSchema, {
    name: `hosts/${id}`,
    spec: { schedulable: true, labels: { disk: "ssd" } },
    status: {
      state: HostStatus_State.READY,
      placeable: true,
      architecture: Architecture.ARM64,
      chip: "Apple M2 Pro",
      macosVersion: "15.1",
      parallelsVersion: "20.1.0",
      agentVersion: "0.1.0",
      capacity: { cpuCount: 10, memoryMib: 28_672, diskMib: 512_000 },
      allocated: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
      macosSlots: 2,
      macosSlotsUsed: 1,
      vmCount: 1,
      heartbeatTime: before(3),
      conditions: [{ type: "Connected", state: Condition_State.TRUE, reason: "SessionOpen", since: before(7200) }],
    },
    createTime: before(86_400),
    etag: "1",
    ...init,
  });
}

export function sampleTemplate(id: string, state: TemplateStatus_State = TemplateStatus_State.ACTIVE): Template {
  return create(TemplateSchema, {
    name: `templates/${id}`,
    spec: {
      source: { case: "hostVm", value: { vmName: `${id}-base` } },
      guestOs: GuestOs.MACOS,
      architecture: Architecture.ARM64,
      resources: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
    },
    status: { state, hosts: ["hosts/mac-1"], vmCount: 2 },
    createTime: before(3600),
  });
}
