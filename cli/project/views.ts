/** How people see projects: as rows of a list, and one in detail. */
import type { Project, ProjectQuota, ProjectUsage } from "../../shared/gen/es/meridian/v1/project_pb.ts";
import type { Column } from "../output/table.ts";
import { age, moment } from "../output/time.ts";
import { detailView, type Session } from "../session.ts";
import { formatLabels } from "../values/label.ts";
import { shortName } from "../values/name.ts";
import { formatSize } from "../values/size.ts";

export function projectColumns(nowMs: number): readonly Column<Project>[] {
  const column = (title: string, amount: Amount): Column<Project> => ({
    title,
    text: (project) => shareOf(project, amount),
    align: "right",
  });
  return [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "WEIGHT", text: ({ spec }) => String(spec?.weight ?? 1), align: "right" },
    column("VMS", "vms"),
    { title: "WAIT", text: ({ status }) => String(status?.waitingVms ?? 0), align: "right" },
    column("MACOS", "macosSlots"),
    column("CPU", "cpuCount"),
    column("MEMORY", "memoryMib"),
    column("DISK", "diskMib"),
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "FOR", text: ({ spec }) => spec?.displayName ?? "" },
  ];
}

export function projectDetail(session: Session, project: Project): string {
  const { name, spec, status, createTime, updateTime } = project;
  return detailView(session)
    .heading(name, "", "plain")
    .sentence(spec?.displayName ?? "")
    .facts([
      ["Weight", String(spec?.weight ?? 1)],
      ["VMs", shareOf(project, "vms")],
      ["Waiting", String(status?.waitingVms ?? 0)],
      ["macOS guests", shareOf(project, "macosSlots")],
      ["CPUs", shareOf(project, "cpuCount")],
      ["Memory", shareOf(project, "memoryMib")],
      ["Disk", shareOf(project, "diskMib")],
      ["Labels", formatLabels(spec?.labels ?? {})],
      ["Made", moment(createTime, session.nowMs)],
      ["Changed", moment(updateTime, session.nowMs)],
    ])
    .toString();
}

type Amount = keyof Omit<ProjectUsage, "$typeName" | "$unknown"> & keyof ProjectQuota;

/** Such as "3/8", or "3" where there is no bound. */
function shareOf({ spec, status }: Project, amount: Amount): string {
  const isSize = amount === "memoryMib" || amount === "diskMib";
  const words = (value: number): string => (isSize ? formatSize(value) : String(value));
  const used = words(Number(status?.usage?.[amount] ?? 0));
  const bound = spec?.quota?.[amount];
  return bound === undefined ? used : `${used}/${words(Number(bound))}`;
}
