/** What a change of a VM's or host's record says of its life: the entries of the history that follow from it. */
import type { HistoryEntry } from "./history.ts";
import type { HostCondition, HostRecord } from "./host.ts";
import { describeNotice } from "./preemption.ts";
import type { VmRecord } from "./vm.ts";

export function vmMoves(before: VmRecord | undefined, after: VmRecord): readonly HistoryEntry[] {
  const isSame = before?.uid === after.uid;
  return [
    ...(isSame && before.notice !== after.notice ? noticeMoves(before, after) : []),
    ...(isSame && before.state === after.state ? [] : [stateMove(before, after)]),
  ];
}

/** What a VM was told of having to give way. */
function noticeMoves(before: VmRecord, after: VmRecord): readonly HistoryEntry[] {
  const [from, to] = [noticeWord(before), noticeWord(after)];
  // With the host goes the notice that has run, which the move itself tells.
  if (from === to || from === "over") return [];
  const { notice } = after;
  return [
    {
      ...entryOfVm(before, after, "vm.notice"),
      from,
      to,
      reason: to === "none" ? "Spared" : "Preempted",
      ...(notice === undefined ? {} : { message: describeNotice(notice) }),
    },
  ];
}

function noticeWord({ notice }: VmRecord): string {
  return notice === undefined ? "none" : notice.isOver === true ? "over" : "given";
}

function stateMove(before: VmRecord | undefined, after: VmRecord): HistoryEntry {
  const reason = after.timeline.at(-1)?.reason ?? "";
  return {
    ...entryOfVm(before, after, "vm.state"),
    ...(before === undefined ? {} : { from: before.state }),
    to: after.state,
    ...(reason === "" ? {} : { reason }),
    ...(after.message === "" ? {} : { message: after.message }),
  };
}

function entryOfVm(before: VmRecord | undefined, after: VmRecord, action: string): HistoryEntry {
  const host = after.host ?? before?.host;
  return {
    kind: "lifecycle",
    action,
    resource: `vms/${after.id}`,
    resourceUid: after.uid,
    timeMs: after.updateTimeMs,
    project: after.spec.project,
    ...(host === undefined ? {} : { host: `hosts/${host}` }),
  };
}

export function hostMoves(before: HostRecord | undefined, after: HostRecord): readonly HistoryEntry[] {
  const moves: HistoryEntry[] = [];
  if (before?.uid !== after.uid || before.state !== after.state) {
    const from = before === undefined ? {} : { from: before.state };
    moves.push({ ...entryOf(after, "host.state"), ...from, to: after.state });
  }
  if (before?.trouble !== after.trouble) moves.push(...quarantineMoves(before, after));
  if (before === undefined || before.conditions === after.conditions) return moves;
  for (const condition of after.conditions) {
    const former = before.conditions.find(({ type }) => type === condition.type);
    if (former === undefined || former.holds === condition.holds) continue;
    moves.push({
      ...entryOf(after, "host.condition"),
      from: conditionWord(former),
      to: conditionWord(condition),
      reason: condition.reason,
      ...(condition.message === "" ? {} : { message: condition.message }),
    });
  }
  return moves;
}

function quarantineMoves(before: HostRecord | undefined, after: HostRecord): readonly HistoryEntry[] {
  const from = before?.trouble?.quarantine?.phase ?? "free";
  const quarantine = after.trouble?.quarantine;
  const to = quarantine?.phase ?? "free";
  if (from === to) return [];
  const message = to === "isolated" && quarantine !== undefined ? { message: quarantine.message } : {};
  return [{ ...entryOf(after, "host.quarantine"), from, to, ...message }];
}

function entryOf(host: HostRecord, action: string): HistoryEntry {
  const resource = `hosts/${host.id}`;
  return { kind: "lifecycle", action, resource, resourceUid: host.uid, timeMs: host.updateTimeMs, host: resource };
}

function conditionWord({ type, holds }: HostCondition): string {
  return `${type}=${holds ? "true" : "false"}`;
}
