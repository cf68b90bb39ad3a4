/**
 * What one sees on standard error while a VM is being made: on a terminal one line that changes, elsewhere (the log of a
 * build) a line for each new state and each new reason to wait.
 */
import { type Vm, VmStatus_State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { cut, printable } from "../output/text.ts";
import type { Session } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { formatProgress, vmState } from "./views.ts";

export interface ProgressLine {
  show(text: string): void;
  /** Takes the line away, so that other output can follow. It may be shown again. */
  clear(): void;
}

export function openProgressLine({ stderr }: Terminal): ProgressLine {
  let shown = "";
  return {
    show(text) {
      if (text === shown) return;
      shown = text;
      // One column stays free: a terminal that is full to the last one goes to the next line.
      stderr.write(
        stderr.isTerminal ? `\r\u001b[2K${cut(printable(text), stderr.columns() - 1)}` : `${printable(text)}\n`,
      );
    },
    clear() {
      if (stderr.isTerminal && shown !== "") stderr.write("\r\u001b[2K");
      if (stderr.isTerminal) shown = "";
    },
  };
}

export const silentProgressLine: ProgressLine = { show: () => undefined, clear: () => undefined };

/** Shows every change of one VM until the signal says stop. It only decorates the wait: it never fails. */
export async function followVm(
  session: Session,
  name: string,
  show: (vm: Vm) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const events = session.vms.watchVms({ filter: `name = "${name}"` }, { signal, timeoutMs: 0 });
    for await (const { vm } of events) if (vm?.name === name) show(vm);
  } catch {
    // The wait itself notices when the server is away, and says so.
  }
}

/** The line for a VM; `isLive` when it replaces the one before and may change with every percent. */
export function progressText(vm: Vm, isLive: boolean): string {
  const { status } = vm;
  const head = `${vm.name} ${vmState(vm)}`;
  if (status === undefined) return head;
  if (status.state === VmStatus_State.PENDING) return status.message === "" ? head : `${head}: ${status.message}`;
  const where = status.host === "" ? head : `${head} on ${status.host}`;
  const { progress } = status;
  if (progress === undefined || progress.step === "") return where;
  return `${where}: ${isLive ? formatProgress(progress) : progress.step}`;
}
