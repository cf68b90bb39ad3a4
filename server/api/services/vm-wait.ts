/** WaitVm: what a build script calls. Ends as soon as the VM is in a wanted state, can no longer come there, or time is up. */
import { MeridianError, notFound } from "../../../shared/errors.ts";
import type { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { WaitVmRequest } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { VmId } from "../../../shared/ids.ts";
import type { VmRecord, VmState } from "../../pool/vm.ts";
import type { ApiContext } from "../context.ts";
import { requiredWord, vmStateValues } from "../convert/enums.ts";
import { readDuration } from "../convert/time.ts";
import { FieldChecks } from "../field-checks.ts";
import { waitStatesMax, waitTimeoutMs } from "../limits.ts";
import { idOfName, nameOf } from "../resource-name.ts";
import type { CallContext } from "../rpc/handlers.ts";

/** Resolves with the VM in one of the states. Throws WAIT_HOPELESS, WAIT_TIMED_OUT, RESOURCE_NOT_FOUND. */
export async function waitVm(context: ApiContext, request: WaitVmRequest, call: CallContext): Promise<VmRecord> {
  const id = idOfName("vms", request.name);
  const checks = new FieldChecks();
  const states = readStates(checks, request.states);
  const timeoutField = { path: "timeout", value: request.timeout };
  const timeoutMs = readDuration(checks, timeoutField, waitTimeoutMs) ?? waitTimeoutMs.default;
  checks.finish();
  const wait = new Wait(id, states);
  const listening = context.vmChanges.listen(id, (change) => wait.look(change.after));
  const timer = context.clock.after(answerInMs(timeoutMs, call.timeoutMs()), () => wait.timeOut());
  const onAbort = (): void => wait.giveUp(call.signal.reason);
  call.signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (call.signal.aborted) onAbort();
    const present = await context.engine.read((view) => view.vms.get(id));
    // Changes that were told meanwhile are at least as new as what was read.
    if (!wait.hasLooked) wait.look(present);
    return await wait.ended;
  } finally {
    wait.giveUp(undefined);
    listening.cancel();
    timer.cancel();
    call.signal.removeEventListener("abort", onAbort);
  }
}

/** How long to wait: an answer that comes a moment before the caller's own deadline tells more than the deadline would. */
function answerInMs(timeoutMs: number, deadlineInMs: number | undefined): number {
  if (deadlineInMs === undefined) return timeoutMs;
  return Math.min(timeoutMs, deadlineInMs - Math.min(100, deadlineInMs / 10));
}

function readStates(checks: FieldChecks, values: readonly VmStatus_State[]): ReadonlySet<VmState> {
  checks.count("states", values.length, waitStatesMax);
  const states = values.slice(0, waitStatesMax).flatMap((value, index) => {
    const state = requiredWord(checks, { path: `states[${index}]`, value }, vmStateValues);
    return state === undefined ? [] : [state];
  });
  return new Set(states.length === 0 ? ["RUNNING"] : states);
}

class Wait {
  readonly ended: Promise<VmRecord>;
  hasLooked = false;
  private last: VmRecord | undefined;
  private readonly id: VmId;
  private readonly states: ReadonlySet<VmState>;
  private readonly end: { readonly resolve: (vm: VmRecord) => void; readonly reject: (error: unknown) => void };

  constructor(id: VmId, states: ReadonlySet<VmState>) {
    this.id = id;
    this.states = states;
    const { promise, resolve, reject } = Promise.withResolvers<VmRecord>();
    this.ended = promise;
    // It may end before anybody awaits it; who does still hears of it.
    this.ended.catch(() => undefined);
    this.end = { resolve, reject };
  }

  /** Only the first end counts, as promises have it. */
  look(vm: VmRecord | undefined): void {
    this.hasLooked = true;
    if (vm === undefined) {
      this.end.reject(notFound(nameOf("vms", this.id)));
      return;
    }
    this.last = vm;
    if (this.states.has(vm.state)) this.end.resolve(vm);
    else if (isHopeless(vm, this.states)) this.end.reject(this.failure("WAIT_HOPELESS", vm));
  }

  timeOut(): void {
    this.end.reject(this.last === undefined ? timedOutBlind(this.id) : this.failure("WAIT_TIMED_OUT", this.last));
  }

  giveUp(reason: unknown): void {
    this.end.reject(reason);
  }

  private failure(reason: "WAIT_HOPELESS" | "WAIT_TIMED_OUT", vm: VmRecord): MeridianError {
    const name = nameOf("vms", this.id);
    const wanted = [...this.states].join(" or ");
    const why = vm.failure === undefined ? "" : `: ${vm.failure.message}`;
    const message =
      reason === "WAIT_HOPELESS"
        ? `${name} is ${vm.state} and will not become ${wanted}${why}`
        : `${name} is still ${vm.state}, not ${wanted}, after the time given; wait again, or ask why it takes so long`;
    return new MeridianError(reason, message, {
      resource: name,
      metadata: {
        vm: name,
        state: vm.state,
        wanted: [...this.states].join(","),
        ...(vm.failure === undefined ? {} : { failure: vm.failure.reason }),
      },
    });
  }
}

function timedOutBlind(id: VmId): MeridianError {
  const vm = nameOf("vms", id);
  return new MeridianError("WAIT_TIMED_OUT", `time was up before ${vm} could be looked at`, {
    resource: vm,
    metadata: { vm },
  });
}

/** From here a VM can only go on to the states that are named. */
const endings: Readonly<Partial<Record<VmState, readonly VmState[]>>> = {
  FAILED: ["DELETING", "DELETED"],
  DELETING: ["DELETED"],
  DELETED: [],
};

function isHopeless(vm: VmRecord, states: ReadonlySet<VmState>): boolean {
  const reachable = vm.spec.wanted === "deleted" ? (endings[vm.state] ?? ["DELETING", "DELETED"]) : endings[vm.state];
  return reachable !== undefined && !reachable.some((state) => states.has(state));
}
