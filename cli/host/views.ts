/** How people see hosts: as rows of a list, and one in detail. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Host,
  HostDrain_Then,
  type HostQuarantine,
  HostQuarantine_Phase,
  type HostStatus,
  HostStatus_State,
  HostStatus_StateSchema,
  type HostVm,
} from "../../shared/gen/es/meridian/v1/host_pb.ts";
import { ArchitectureSchema, Condition_State } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { conditionColumns } from "../output/condition.ts";
import { stateTone } from "../output/paint.ts";
import type { Column } from "../output/table.ts";
import { age, isoSeconds, moment } from "../output/time.ts";
import { detailView, type Session } from "../session.ts";
import { formatDuration } from "../values/duration.ts";
import { enumName, enumWord } from "../values/enum.ts";
import { formatLabels } from "../values/label.ts";
import { shortName } from "../values/name.ts";
import { formatResources, formatShare, formatSizeShare } from "../values/resources.ts";
import { formatSize } from "../values/size.ts";

export function hostState(host: Host): string {
  return enumName(HostStatus_StateSchema, host.status?.state ?? HostStatus_State.UNSPECIFIED);
}

/** Why nothing new is placed there, in a few words; empty if something can be. */
export function hostSentence({ spec, status }: Host): string {
  if (spec?.drain !== undefined) {
    const isEmpty = status?.drain?.vmsRemaining === 0;
    return `${isEmpty ? "drained" : "draining"}${spec.drain.reason === "" ? "" : `: ${spec.drain.reason}`}`;
  }
  if (spec?.schedulable === false) return "cordoned";
  if (status === undefined) return "";
  if (status.quarantine !== undefined) return quarantineSentence(status.quarantine);
  if (status.placeable) return "";
  const unmet = status.conditions.find(({ state, type }) => state === Condition_State.FALSE && type !== "Schedulable");
  return unmet === undefined ? "not placeable" : unmet.message || unmet.reason || unmet.type;
}

export function hostColumns(nowMs: number, isWide: boolean): readonly Column<Host>[] {
  const narrow: readonly Column<Host>[] = [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "STATE", text: hostState, tone: (host) => stateTone(hostState(host)) },
    { title: "ARCH", text: ({ status }) => enumWord(ArchitectureSchema, status?.architecture ?? 0) || "-" },
    { title: "VMS", text: ({ status }) => String(status?.vmCount ?? 0), align: "right" },
    { title: "MACOS", text: ({ status }) => formatShare(status?.macosSlotsUsed, status?.macosSlots), align: "right" },
    {
      title: "CPU",
      text: ({ status }) => formatShare(status?.allocated?.cpuCount, status?.capacity?.cpuCount),
      align: "right",
    },
    {
      title: "MEMORY",
      text: ({ status }) => formatSizeShare(status?.allocated?.memoryMib, status?.capacity?.memoryMib),
      align: "right",
    },
    {
      title: "DISK",
      text: ({ status }) => formatSizeShare(status?.allocated?.diskMib, status?.capacity?.diskMib),
      align: "right",
    },
    { title: "NOTE", text: hostSentence, tone: () => "busy" },
  ];
  if (!isWide) return narrow;
  return [
    ...narrow.slice(0, -1),
    { title: "OTHERS", text: ({ status }) => String(status?.foreignVmCount ?? 0), align: "right" },
    { title: "CHIP", text: ({ status }) => status?.chip || "-" },
    { title: "MACOS VERSION", text: ({ status }) => status?.macosVersion || "-" },
    { title: "PARALLELS", text: ({ status }) => status?.parallelsVersion || "-" },
    { title: "AGENT", text: ({ status }) => status?.agentVersion || "-" },
    { title: "SEEN", text: ({ status }) => age(status?.heartbeatTime, nowMs) },
    { title: "LABELS", text: (host) => formatLabels(labelsOf(host)) },
    ...narrow.slice(-1),
  ];
}

export function hostDetail(session: Session, host: Host): string {
  const { nowMs } = session;
  const { spec, status } = host;
  const state = hostState(host);
  return detailView(session)
    .heading(host.name, state, stateTone(state))
    .sentence(hostSentence(host))
    .facts([
      [
        "Machine",
        [
          status?.chip,
          enumWord(ArchitectureSchema, status?.architecture ?? 0),
          status?.macosVersion && `macOS ${status.macosVersion}`,
        ]
          .filter(Boolean)
          .join(", "),
      ],
      [
        "Parallels",
        [
          status?.parallelsVersion,
          status?.parallelsServiceVersion && `service ${status.parallelsServiceVersion}`,
          status?.licence && `licence ${status.licence}`,
        ]
          .filter(Boolean)
          .join(", "),
      ],
      ["Agent", status?.agentVersion ?? ""],
      ["Address", status?.address ?? ""],
      ["Capacity", formatResources(status?.capacity)],
      ["Taken", formatResources(status?.allocated) || "nothing"],
      ["Kept for macOS", formatResources(spec?.reserved)],
      ["Disk", diskText(host)],
      ["macOS slots", `${formatShare(status?.macosSlotsUsed, status?.macosSlots)} taken`],
      ["VMs", `${status?.vmCount ?? 0} of the pool, ${status?.foreignVmCount ?? 0} others`],
      ["Templates", status?.templates.map(shortName).join(", ") ?? ""],
      ["Labels", formatLabels(labelsOf(host))],
      ["Drain", drainText(host, nowMs)],
      ["Quarantine", quarantineText(host, nowMs)],
      ["Heard of", moment(status?.heartbeatTime, nowMs)],
      ["First seen", moment(host.createTime, nowMs)],
    ])
    .table("Conditions", status?.conditions ?? [], conditionColumns(nowMs))
    .toString();
}

export const hostVmColumns: readonly Column<HostVm>[] = [
  { title: "NAME", text: ({ displayName }) => displayName },
  { title: "STATE", text: ({ state }) => state, tone: ({ state }) => stateTone(state.toUpperCase()) },
  { title: "OS", text: ({ os }) => os || "-" },
  { title: "OWNER", text: ({ vm }) => vm || "not the pool's" },
  { title: "ADDRESS", text: ({ ipAddresses }) => ipAddresses[0] ?? "-" },
  { title: "CPU", text: ({ resources }) => String(resources?.cpuCount ?? "-"), align: "right" },
  { title: "MEMORY", text: ({ resources }) => formatSize(resources?.memoryMib ?? 0), align: "right" },
  { title: "UP", text: ({ uptimeSeconds }) => (uptimeSeconds === 0 ? "-" : formatDuration(uptimeSeconds * 1000)) },
  { title: "ID", text: ({ id }) => id },
];

/** The labels that selection sees: the operator's win over the agent's. */
function labelsOf({ spec, status }: Host): Readonly<Record<string, string>> {
  return { ...status?.agentLabels, ...spec?.labels };
}

function diskText({ status }: Host): string {
  const { diskFreeMib = 0, diskTotalMib = 0 } = status?.observed ?? {};
  if (diskFreeMib === 0 && diskTotalMib === 0) return "";
  return `${formatSize(diskFreeMib)} free${diskTotalMib === 0 ? "" : ` of ${formatSize(diskTotalMib)}`}`;
}

function quarantineSentence({ phase, message }: HostQuarantine): string {
  return `${phase === HostQuarantine_Phase.PROBING ? "quarantine, on trial" : "quarantine"}: ${message}`;
}

function quarantineText({ status }: Host, nowMs: number): string {
  const { quarantine, quarantineCount = 0, recentFailures = 0 } = status ?? {};
  const failed = recentFailures === 0 ? "" : `${recentFailures} VMs failed here of late`;
  const before = quarantineCount === 0 ? "" : `${quarantineCount} times so far`;
  if (quarantine === undefined) return [failed, before && `in quarantine ${before}`].filter(Boolean).join(", ");
  const { until, since, round } = quarantine;
  const leftMs = until === undefined ? 0 : timestampDate(until).getTime() - nowMs;
  const left = leftMs > 0 ? `on trial in ${formatDuration(leftMs)}` : "on trial";
  return `since ${moment(since, nowMs)}, round ${round}, ${left}; ${before}`;
}

/** Such as "3 of 8 VMs left, deleted in 12m"; empty if it is not being drained. */
export function drainProgress({ drain }: Pick<HostStatus, "drain">, nowMs: number): string {
  if (drain === undefined) return "";
  const { vmsRemaining, vmsAtStart, deadline } = drain;
  const left = `${vmsRemaining} of ${vmsAtStart} VMs left`;
  if (vmsRemaining === 0 || deadline === undefined) return left;
  const leftMs = timestampDate(deadline).getTime() - nowMs;
  return leftMs > 0 ? `${left}, deleted in ${formatDuration(leftMs)}` : `${left}, being deleted`;
}

function drainText({ spec, status }: Host, nowMs: number): string {
  const drain = spec?.drain;
  if (drain === undefined) return "";
  const end =
    drain.deadline === undefined ? "when its VMs have ended by themselves" : `by ${isoSeconds(drain.deadline)}`;
  const leftMs = drain.deadline === undefined ? 0 : timestampDate(drain.deadline).getTime() - nowMs;
  const left = leftMs > 0 ? ` (${formatDuration(leftMs)} left)` : "";
  const then = drain.then === HostDrain_Then.UNCORDON ? "takes new VMs again" : "stays cordoned";
  const progress =
    status?.drain === undefined ? "" : `; ${drainProgress(status, nowMs)}, since ${moment(status.drain.since, nowMs)}`;
  return `empty ${end}${left}, then it ${then}${progress}`;
}
