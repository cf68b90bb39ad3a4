/** How people see VMs: as rows of a list, as one VM in detail, as one line at the end of a wait. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ArchitectureSchema, GuestOsSchema } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import {
  type Vm,
  type VmFailure,
  VmFailure_SuspectSchema,
  type VmProgress,
  VmSpec_WantedSchema,
  VmStatus_State,
  VmStatus_StateSchema,
  type VmTimelineEntry,
} from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { conditionColumns } from "../output/condition.ts";
import { stateTone } from "../output/paint.ts";
import type { Column } from "../output/table.ts";
import { age, isoSeconds, moment, spanMs } from "../output/time.ts";
import { detailView, type Session } from "../session.ts";
import { formatDuration } from "../values/duration.ts";
import { enumName, enumWord } from "../values/enum.ts";
import { formatLabels } from "../values/label.ts";
import { shortName } from "../values/name.ts";
import { formatReadiness } from "../values/readiness.ts";
import { formatResources } from "../values/resources.ts";
import { formatSize } from "../values/size.ts";

export function vmState(vm: Vm): string {
  return enumName(VmStatus_StateSchema, vm.status?.state ?? VmStatus_State.UNSPECIFIED);
}

export function vmColumns(nowMs: number, isWide: boolean): readonly Column<Vm>[] {
  const narrow: readonly Column<Vm>[] = [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "STATE", text: vmState, tone: (vm) => stateTone(vmState(vm)) },
    { title: "TEMPLATE", text: ({ spec }) => shortName(spec?.template ?? "") },
    { title: "HOST", text: ({ status }) => dash(shortName(status?.host ?? "")) },
    { title: "ADDRESS", text: ({ status }) => dash(status?.ipAddresses[0] ?? "") },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "MESSAGE", text: vmSentence },
  ];
  if (!isWide) return narrow;
  return [
    ...narrow.slice(0, -1),
    { title: "CPU", text: ({ status }) => dash(status?.resources?.cpuCount), align: "right" },
    { title: "MEMORY", text: ({ status }) => sizeOrDash(status?.resources?.memoryMib), align: "right" },
    { title: "DISK", text: ({ status }) => sizeOrDash(status?.resources?.diskMib), align: "right" },
    { title: "TRY", text: ({ status }) => dash(status?.attempt), align: "right" },
    { title: "LABELS", text: ({ spec }) => formatLabels(spec?.labels ?? {}) },
    ...narrow.slice(-1),
  ];
}

/** What the VM is doing, in one sentence, with the progress of its step. */
export function vmSentence({ status }: Vm): string {
  const progress = status?.progress;
  const message = status?.message || status?.failure?.message || "";
  if (progress === undefined || !statesOnTheWay.has(status?.state ?? VmStatus_State.UNSPECIFIED)) return message;
  return progress.step === "" && progress.message === "" ? message : formatProgress(progress);
}

/** Elsewhere, what is left of a step's progress is history. */
const statesOnTheWay: ReadonlySet<VmStatus_State> = new Set([
  VmStatus_State.PLACED,
  VmStatus_State.CREATING,
  VmStatus_State.STARTING,
  VmStatus_State.STOPPING,
  VmStatus_State.SUSPENDING,
  VmStatus_State.PAUSING,
  VmStatus_State.RESUMING,
  VmStatus_State.DELETING,
]);

/** Such as "download 42%, 1m10s left". */
export function formatProgress({ step, message, percent, eta }: VmProgress): string {
  const left = eta === undefined ? "" : `, ${formatDuration(durationMs(eta))} left`;
  // Many steps never say how far they are; 0% would look as if they hung.
  return `${message || step}${percent > 0 ? ` ${Math.floor(percent)}%` : ""}${left}`;
}

export function vmDetail(session: Session, vm: Vm): string {
  const { nowMs } = session;
  const { spec, status } = vm;
  const state = vmState(vm);
  const view = detailView(session)
    .heading(vm.name, state, stateTone(state))
    .sentence(vmSentence(vm))
    .facts([
      [
        "Template",
        [spec?.template ?? "", status?.templateVersion && `version ${status.templateVersion}`]
          .filter(Boolean)
          .join(", "),
      ],
      ["Copy of", spec?.sourceVm ?? ""],
      [
        "Guest",
        [enumWord(GuestOsSchema, status?.guestOs ?? 0), enumWord(ArchitectureSchema, status?.architecture ?? 0)]
          .filter(Boolean)
          .join(" on "),
      ],
      ["Host", status?.host ?? ""],
      ["Addresses", status?.ipAddresses.join(", ") ?? ""],
      ["Resources", formatResources(status?.resources)],
      ["Wanted", enumWord(VmSpec_WantedSchema, spec?.wanted ?? 0)],
      ["Ready when", spec?.readiness === undefined ? "" : formatReadiness(spec.readiness)],
      ["Priority", spec?.priority === undefined ? "" : String(spec.priority)],
      ["Waits at most", spec?.pendingTimeout === undefined ? "" : formatDuration(durationMs(spec.pendingTimeout))],
      ["Lease", spec?.leaseDuration === undefined ? "" : formatDuration(durationMs(spec.leaseDuration))],
      ["Lives at most", spec?.maxLifetime === undefined ? "" : formatDuration(durationMs(spec.maxLifetime))],
      ["Expires", status?.expireTime === undefined ? "" : isoSeconds(status.expireTime)],
      ["Labels", formatLabels(spec?.labels ?? {})],
      ["Annotations", formatLabels(spec?.annotations ?? {})],
      ["In Parallels", [status?.hostVmName, status?.hostVmState].filter(Boolean).join(", ")],
      ["Attempt", (status?.attempt ?? 0) > 1 ? String(status?.attempt) : ""],
      ["Made", moment(vm.createTime, nowMs)],
    ]);
  if (status?.failure !== undefined) view.section("Failure", failureFacts(status.failure, nowMs));
  view.table("Conditions", status?.conditions ?? [], conditionColumns(nowMs));
  return view.table("Timeline", timelineRows(status?.timeline ?? []), timelineColumns).toString();
}

function failureFacts(failure: VmFailure, nowMs: number): readonly (readonly [string, string])[] {
  return [
    ["Reason", failure.reason],
    ["What", failure.message],
    ["Suspect", enumWord(VmFailure_SuspectSchema, failure.suspect)],
    ["Where", failure.host],
    ["When", moment(failure.time, nowMs)],
  ];
}

interface TimelineRow {
  readonly entry: VmTimelineEntry;
  /** How long the VM was in the state; nothing for the present one. */
  readonly stayMs: number | undefined;
}

function timelineRows(entries: readonly VmTimelineEntry[]): readonly TimelineRow[] {
  return entries.map((entry, index) => ({ entry, stayMs: spanMs(entry.time, entries[index + 1]?.time) }));
}

const timelineColumns: readonly Column<TimelineRow>[] = [
  { title: "SINCE", text: ({ entry }) => (entry.time === undefined ? "-" : isoSeconds(entry.time)) },
  {
    title: "STATE",
    text: ({ entry }) => enumName(VmStatus_StateSchema, entry.state),
    tone: ({ entry }) => stateTone(enumName(VmStatus_StateSchema, entry.state)),
  },
  { title: "FOR", text: ({ stayMs }) => (stayMs === undefined ? "" : formatDuration(stayMs)) },
  { title: "REASON", text: ({ entry }) => entry.reason },
];

/** Such as "vms/build-1 RUNNING on hosts/mac-1 at 10.0.0.5". */
export function vmLine(vm: Vm): string {
  const host = vm.status?.host ?? "";
  const address = vm.status?.ipAddresses[0];
  return [vm.name, vmState(vm), host && `on ${host}`, address && `at ${address}`].filter(Boolean).join(" ");
}

/** Such as "vms/build-1 SUSPENDED, to be RUNNING", or `vmLine` when the VM is there already. */
export function vmLineToCome(
  vm: Vm,
  { state, toCome }: { readonly state: VmStatus_State; readonly toCome?: string },
): string {
  const isThere = toCome === undefined && vm.status?.state === state;
  return isThere
    ? vmLine(vm)
    : `${vm.name} ${vmState(vm)}, ${toCome ?? `to be ${enumName(VmStatus_StateSchema, state)}`}`;
}

function dash(value: string | number | undefined): string {
  return value === undefined || value === "" || value === 0 ? "-" : String(value);
}

function sizeOrDash(sizeMib: number | undefined): string {
  return sizeMib === undefined || sizeMib === 0 ? "-" : formatSize(sizeMib);
}
