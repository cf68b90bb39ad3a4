/** The demo's story: one VM from template to shell and back, then more VMs than there is room for. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { required } from "../../shared/assert.ts";
import { HostStatus_State } from "../../shared/gen/es/meridian/v1/host_pb.ts";
import type { ResourcesSchema } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { Architecture, GuestOs } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { type Vm, VmSpec_Wanted, VmStatus_State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { parseHostVmName } from "../../shared/ids.ts";
import { formatDuration } from "../values/duration.ts";
import type { DemoPool } from "./demo-pool.ts";

export interface StoryTeller {
  /** A new chapter. */
  readonly chapter: (title: string) => void;
  /** A sentence of it. */
  readonly say: (sentence: string) => void;
  /** What a guest wrote. */
  readonly quote: (text: string) => void;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

const template = "templates/macos-15";
const vmResources: MessageInitShape<typeof ResourcesSchema> = { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 };

export async function tellStory(pool: DemoPool, teller: StoryTeller): Promise<void> {
  await joinHosts(pool, teller);
  await addTemplate(pool, teller);
  await oneVm(pool, teller);
  await tooManyVms(pool, teller);
  await leaveNothing(pool, teller);
}

async function joinHosts(pool: DemoPool, { chapter, say, signal }: StoryTeller): Promise<void> {
  chapter(pool.hosts.length === 1 ? "A Mac joins" : `${pool.hosts.length} Macs join`);
  const waiting = new Set(pool.hosts.map(({ hostId }) => `hosts/${hostId}`));
  for await (const { host } of pool.hostClient.watchHosts({}, { signal, timeoutMs: 0 })) {
    if (host?.status?.state !== HostStatus_State.READY || !host.status.placeable || !waiting.delete(host.name))
      continue;
    const { chip, capacity, parallelsVersion } = host.status;
    say(
      `${host.name} dialled in: ${chip}, ${capacity?.cpuCount} CPUs and ${gib(capacity?.memoryMib)} for VMs, Parallels Desktop ${parallelsVersion}.`,
    );
    if (waiting.size === 0) return;
  }
}

async function addTemplate(pool: DemoPool, { chapter, say, signal }: StoryTeller): Promise<void> {
  chapter("A template");
  await pool.catalogs.createCatalog(
    {
      catalogId: "lab",
      catalog: { spec: { url: "https://catalog.invalid", credentials: { username: "ci", password: "simulated" } } },
    },
    { signal },
  );
  await pool.templates.createTemplate(
    {
      templateId: "macos-15",
      template: {
        spec: {
          source: { case: "catalog", value: { catalog: "catalogs/lab", catalogId: "MACOS-15-CI", version: "v2" } },
          guestOs: GuestOs.MACOS,
          architecture: Architecture.ARM64,
          resources: vmResources,
          readiness: { probe: { case: "guestTools", value: true }, periodMs: 200, timeoutSeconds: 60 },
          description: "macOS 15 with the CI tools",
        },
      },
    },
    { signal },
  );
  say(`${template} names the image MACOS-15-CI v2 of catalogs/lab. No Mac has it yet; the one that needs it pulls it.`);
}

async function oneVm(pool: DemoPool, teller: StoryTeller): Promise<void> {
  const { chapter, say, signal, nowMs } = teller;
  chapter("One VM, from template to shell");
  const beganMs = nowMs();
  await createVm(pool, "build-1", signal);
  say("vms/build-1 is accepted. Meridian chooses the Mac.");
  const vm = await followUntilRunning(pool, "vms/build-1", teller);
  say(
    `vms/build-1 is ready at ${vm.status?.ipAddresses[0]} on ${vm.status?.host}, ${formatDuration(nowMs() - beganMs)} after it was asked for.`,
  );
  const command = 'echo "hello from $(uname -s), process $$"; pwd; exit 7';
  say(`A command in its guest: sh -c '${command}'`);
  const exitCode = await exec(pool, { name: "vms/build-1", command: ["sh", "-c", command] }, teller);
  say(`It ended with exit code ${exitCode}, as it wished.`);
}

async function tooManyVms(pool: DemoPool, teller: StoryTeller): Promise<void> {
  const { chapter, say, signal, nowMs } = teller;
  const slots = pool.hosts.length * 2;
  chapter("More VMs than room");
  say(
    `Apple's licence allows two macOS guests on a Mac: ${pool.hosts.length} Macs, ${slots} slots, one taken. We ask for ${slots} more at once.`,
  );
  const names = Array.from({ length: slots }, (_, index) => `build-${index + 2}`);
  const created = await Promise.all(names.map((id) => createVm(pool, id, signal)));
  const waiting = await findWaiting(
    pool,
    created.map(({ name }) => name),
    signal,
  );
  say(`${waiting.name} has to wait, and says why: "${waiting.status?.message}".`);
  await Promise.all(created.filter(({ name }) => name !== waiting.name).map(({ name }) => waitFor(pool, name, signal)));
  const { vms } = await pool.vms.listVms({ filter: "status.state = RUNNING", orderBy: "status.host" }, { signal });
  for (const vm of vms) say(`${vm.name} runs on ${vm.status?.host} at ${vm.status?.ipAddresses[0]}.`);
  say("vms/build-1 is deleted: its slot is free once Parallels Desktop no longer shows it.");
  await pool.vms.deleteVm({ name: "vms/build-1" }, { signal });
  await pool.vms.waitVm({ name: "vms/build-1", states: [VmStatus_State.DELETED] }, { signal });
  const freeMs = nowMs();
  const placed = await pool.vms.waitVm(
    {
      name: waiting.name,
      states: [VmStatus_State.PLACED, VmStatus_State.CREATING, VmStatus_State.STARTING, VmStatus_State.RUNNING],
    },
    { signal },
  );
  say(
    `${waiting.name} was placed on ${placed.vm?.status?.host} within ${Math.max(1, Math.round(nowMs() - freeMs))} ms.`,
  );
  await waitFor(pool, waiting.name, signal);
  say(`${waiting.name} is ready.`);
}

async function leaveNothing(pool: DemoPool, { chapter, say, signal }: StoryTeller): Promise<void> {
  chapter("And away without a trace");
  const { vms } = await pool.vms.listVms({ filter: "NOT status.state = DELETED" }, { signal });
  await Promise.all(vms.map(({ name }) => pool.vms.deleteVm({ name }, { signal })));
  await Promise.all(vms.map(({ name }) => pool.vms.waitVm({ name, states: [VmStatus_State.DELETED] }, { signal })));
  let left = 0;
  for (const { hostId } of pool.hosts) {
    const onHost = await pool.hostClient.listHostVms({ name: `hosts/${hostId}` }, { signal });
    left += onHost.vms.filter(({ displayName }) => parseHostVmName(displayName) !== undefined).length;
  }
  if (left > 0) throw new Error(`${left} VMs of the pool are left on the Macs`);
  say(`All ${vms.length} VMs are deleted, and no Mac shows one of them any more.`);
}

async function createVm(pool: DemoPool, vmId: string, signal: AbortSignal): Promise<Vm> {
  const { vm } = await pool.vms.createVm(
    { vmId, vm: { spec: { template, wanted: VmSpec_Wanted.RUNNING } } },
    { signal },
  );
  return required(vm, "VM in the answer");
}

async function waitFor(pool: DemoPool, name: string, signal: AbortSignal): Promise<Vm> {
  const { vm } = await pool.vms.waitVm({ name, states: [VmStatus_State.RUNNING] }, { signal });
  return required(vm, "VM in the answer");
}

/** Tells every step until the VM runs. */
async function followUntilRunning(pool: DemoPool, name: string, { say, signal }: StoryTeller): Promise<Vm> {
  let told = "";
  const tell = (sentence: string): void => {
    if (sentence !== told) say(sentence);
    told = sentence;
  };
  for await (const { vm } of pool.vms.watchVms({ filter: `name = "${name}"` }, { signal, timeoutMs: 0 })) {
    const status = vm?.status;
    if (vm === undefined || status === undefined) continue;
    switch (status.state) {
      case VmStatus_State.PLACED:
        tell(`It gets a place on ${status.host}: CPU, memory, disk and a macOS slot are reserved there.`);
        break;
      case VmStatus_State.CREATING:
        if (status.progress === undefined || status.progress.step === "")
          tell(`The agent on ${status.host} has taken it on.`);
        else tell(`Making it: ${status.progress.step} ${Math.round(status.progress.percent)} %.`);
        break;
      case VmStatus_State.STARTING:
        tell("It is made, and is powered on. Ready means: its guest answers.");
        break;
      case VmStatus_State.RUNNING:
        return vm;
      case VmStatus_State.FAILED:
        throw new Error(`${name} failed: ${status.failure?.message}`);
      default:
        break;
    }
  }
  throw new Error(`the watch of ${name} ended`);
}

async function exec(
  pool: DemoPool,
  start: { readonly name: string; readonly command: string[] },
  { quote, signal }: StoryTeller,
): Promise<number> {
  const decoder = new TextDecoder();
  const requests = (async function* () {
    yield { payload: { case: "start" as const, value: start } };
  })();
  let exitCode: number | undefined;
  // To its end: a stream that is left early keeps its deadline's timer.
  for await (const { payload } of pool.vms.execVm(requests, { signal })) {
    if (payload.case === "stdout" || payload.case === "stderr") quote(decoder.decode(payload.value));
    if (payload.case === "exit") exitCode = payload.value.exitCode;
  }
  if (exitCode === undefined) throw new Error("the command ended without an exit code");
  return exitCode;
}

/** The first VM that is found to fit nowhere. Placing the others takes a few milliseconds. */
async function findWaiting(pool: DemoPool, names: readonly string[], signal: AbortSignal): Promise<Vm> {
  const placed = new Set<string>();
  for await (const { vm } of pool.vms.watchVms({}, { signal, timeoutMs: 0 })) {
    if (vm === undefined || !names.includes(vm.name)) continue;
    if (vm.status?.state !== VmStatus_State.PENDING) placed.add(vm.name);
    if (placed.size === names.length - 1) break;
  }
  const waiting = required(
    names.find((name) => !placed.has(name)),
    "VM that waits",
  );
  const { vm } = await pool.vms.getVm({ name: waiting }, { signal });
  return required(vm, "VM in the answer");
}

function gib(mib: number | undefined): string {
  return `${Math.round((mib ?? 0) / 1024)} GiB`;
}
