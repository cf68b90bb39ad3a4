/** The verbs that change what a VM is wanted to be: start to reset, delete and clone; and `vm wait`. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import {
  type Vm,
  VmSchema,
  VmSpec_Wanted,
  VmStatus_State,
  VmStatus_StateSchema,
} from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { isoSeconds } from "../output/time.ts";
import type { Program } from "../program-type.ts";
import { printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName, throwAll } from "../verbs.ts";
import { stateWanted } from "./create.ts";
import { addCopyFlags, specFrom } from "./spec-flags.ts";
import { vmLine, vmLineToCome } from "./views.ts";
import { failureOf, waitDefaultMs, waitForVms } from "./wait.ts";

interface Change {
  readonly verb: string;
  readonly summary: string;
  readonly description: string;
  /** Where the change ends. */
  readonly state: VmStatus_State;
  /** For a change that ends where it began: what is to come, such as "to be restarted". */
  readonly toCome?: string;
  readonly call: (session: Session, name: string) => Promise<{ readonly vm?: Vm | undefined }>;
}

const changes: readonly Change[] = [
  {
    verb: "start",
    summary: "power a VM on",
    description: "Wants the VM running.",
    state: VmStatus_State.RUNNING,
    call: ({ vms, call }, name) => vms.startVm({ name }, call),
  },
  {
    verb: "suspend",
    summary: "save a VM's memory to disk",
    description: "Wants the VM's memory saved to disk; `vm resume` brings it back.",
    state: VmStatus_State.SUSPENDED,
    call: ({ vms, call }, name) => vms.suspendVm({ name }, call),
  },
  {
    verb: "resume",
    summary: "bring a suspended or paused VM back",
    description: "Wants a suspended or paused VM running again.",
    state: VmStatus_State.RUNNING,
    call: ({ vms, call }, name) => vms.resumeVm({ name }, call),
  },
  {
    verb: "pause",
    summary: "freeze a VM in memory",
    description: "Wants the VM frozen in memory; `vm resume` lets it go on.",
    state: VmStatus_State.PAUSED,
    call: ({ vms, call }, name) => vms.pauseVm({ name }, call),
  },
  {
    verb: "restart",
    summary: "have the guest restart",
    description: "Has the guest restart in order.",
    state: VmStatus_State.RUNNING,
    toCome: "to be restarted",
    call: ({ vms, call }, name) => vms.restartVm({ name }, call),
  },
  {
    verb: "reset",
    summary: "press a VM's reset button",
    description: "Restarts the VM at once, as its reset button would; the guest is not asked.",
    state: VmStatus_State.RUNNING,
    toCome: "to be reset",
    call: ({ vms, call }, name) => vms.resetVm({ name }, call),
  },
];

const waitOption = new Option("--wait", "until it is done");
const timeoutOption = new Option("--timeout <duration>", "how long to wait with --wait (default: 10m)").argParser(
  parseDurationMs,
);

export function registerLifecycle(noun: Program, terminal: Terminal): void {
  for (const change of changes) {
    noun
      .command(change.verb)
      .argument("<vm...>", "the VMs' names")
      .summary(change.summary)
      .description(change.description)
      .addOption(waitOption)
      .addOption(timeoutOption)
      .addHelpText("after", examples(`vm ${change.verb} build-1`, `vm ${change.verb} build-1 build-2 --wait`))
      .action((names, options, command) =>
        withSession(terminal, command, (session) =>
          changeVms(session, names, { ...options, ...change, call: (name) => change.call(session, name) }),
        ),
      );
  }
  registerStop(noun, terminal);
  registerDelete(noun, terminal);
  registerRenew(noun, terminal);
  registerClone(noun, terminal);
  registerWait(noun, terminal);
}

function registerStop(noun: Program, terminal: Terminal): void {
  noun
    .command("stop")
    .argument("<vm...>", "the VMs' names")
    .summary("shut a VM down")
    .description("Wants the VM stopped: asks the guest to shut down, or cuts the power with --force.")
    .option("--force", "cut the power instead of asking the guest")
    .addOption(waitOption)
    .addOption(timeoutOption)
    .addHelpText("after", examples("vm stop build-1 --wait", "vm stop build-1 --force"))
    .action((names, options, command) =>
      withSession(terminal, command, (session) =>
        changeVms(session, names, {
          ...options,
          state: VmStatus_State.STOPPED,
          call: (name) => session.vms.stopVm({ name, force: options.force === true }, session.call),
        }),
      ),
    );
}

function registerDelete(noun: Program, terminal: Terminal): void {
  noun
    .command("delete")
    .argument("<vm...>", "the VMs' names")
    .summary("remove a VM and its disk")
    .description("Wants the VM gone, with its disk. Its capacity is free once Parallels Desktop says that it is gone.")
    .option("--graceful", "ask the guest to shut down first, instead of cutting the power")
    .addOption(waitOption)
    .addOption(timeoutOption)
    .addHelpText(
      "after",
      examples("vm delete build-1", "vm delete build-1 build-2 --wait", "vm delete build-1 --graceful"),
    )
    .action((names, options, command) =>
      withSession(terminal, command, (session) =>
        changeVms(session, names, {
          ...options,
          state: VmStatus_State.DELETED,
          call: (name) => session.vms.deleteVm({ name, force: options.graceful !== true }, session.call),
        }),
      ),
    );
}

function registerRenew(noun: Program, terminal: Terminal): void {
  noun
    .command("renew")
    .argument("<vm...>", "the VMs' names")
    .summary("let a VM's lease begin anew")
    .description("Lets a VM's lease begin anew, so that it is not deleted yet. Its greatest lifetime stays as it is.")
    .addOption(
      new Option("--lease <duration>", "how long from now on (default: as long as before)").argParser(parseDurationMs),
    )
    .addHelpText("after", examples("vm renew build-1", "vm renew build-1 build-2 --lease 1h"))
    .action((names, { lease }, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const request = {
            name: resourceName("vms", text),
            ...(lease !== undefined && { leaseDuration: durationFromMs(lease) }),
          };
          const message = required((await session.vms.renewVm(request, session.call)).vm, "VM in the answer");
          const until = message.status?.expireTime;
          printResource(session, { schema: VmSchema, message }, () =>
            until === undefined
              ? `${message.name} gets its lease when it is placed\n`
              : `${message.name} lives until ${isoSeconds(until)}\n`,
          );
        }),
      ),
    );
}

function registerClone(noun: Program, terminal: Terminal): void {
  addCopyFlags(noun.command("clone"))
    .argument("<vm>", "the VM to copy; it must be stopped")
    .summary("copy a stopped VM on its host")
    .description("Asks for a copy of a stopped VM on the same host. What no flag says comes from the original.")
    .option("--id <id>", "the copy's name's last part (default: the server makes one)")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .addOption(waitOption)
    .addOption(timeoutOption)
    .addHelpText("after", examples("vm clone build-1 --id build-1-copy --wait", "vm clone build-1 --cpu 8"))
    .action((text, options, command) =>
      withSession(terminal, command, (session) => {
        const { id = "", requestId = "" } = options;
        const spec = specFrom(options);
        // What is not said shall come from the original, placement included.
        const { placement: _placement, ...copied } = spec;
        return changeVms(session, [text], {
          ...options,
          state: stateWanted(spec.wanted ?? VmSpec_Wanted.UNSPECIFIED),
          call: (name) => session.vms.cloneVm({ name, spec: copied, vmId: id, requestId }, session.call),
        });
      }),
    );
}

function registerWait(noun: Program, terminal: Terminal): void {
  const states = Object.keys(VmStatus_State).filter((name) => name !== "UNSPECIFIED");
  noun
    .command("wait")
    .argument("<vm...>", "the VMs' names")
    .summary("wait until a VM is ready, or in another state")
    .description(
      "Waits until the VM is RUNNING, or in one of the states named. Ends with 1 when that can no longer be.",
    )
    .addOption(
      new Option("--state <state>", `one of ${states.join(", ").toLowerCase()}; may be repeated`).argParser(
        (text: string, previous: readonly VmStatus_State[] | undefined) => [...(previous ?? []), parseState(text)],
      ),
    )
    .addOption(new Option("--timeout <duration>", "how long to wait (default: 10m)").argParser(parseDurationMs))
    .addHelpText("after", examples("vm wait build-1", "vm wait build-1 --state stopped --state failed --timeout 1h"))
    .action((names, { state = [VmStatus_State.RUNNING], timeout = waitDefaultMs }, command) =>
      withSession(terminal, command, async (session) => {
        const full = names.map((text) => resourceName("vms", text));
        // A name that is wrong, or a server that is away, is told at once and not waited for.
        for (const name of full) await session.vms.getVm({ name }, session.call);
        await waitAndPrint(session, full, { states: state, timeoutMs: timeout });
      }),
    );
}

/** Asks for the change of each VM and prints it, or, with --wait, what came of it. */
async function changeVms(
  session: Session,
  names: readonly string[],
  options: {
    readonly wait?: true | undefined;
    readonly timeout?: number | undefined;
    readonly state: VmStatus_State;
    readonly toCome?: string;
    readonly call: (name: string) => Promise<{ readonly vm?: Vm | undefined }>;
  },
): Promise<void> {
  const changed: string[] = [];
  const errors: unknown[] = [];
  const ask = forEachName(session, names, async (text) => {
    const vm = required((await options.call(resourceName("vms", text))).vm, "VM in the answer");
    changed.push(vm.name);
    if (options.wait !== true) {
      printResource(session, { schema: VmSchema, message: vm }, () => `${vmLineToCome(vm, options)}\n`);
    }
  });
  // Those that were changed are waited for, even if others could not be.
  await ask.catch((error: unknown) => errors.push(error));
  if (options.wait === true && changed.length > 0) {
    await waitAndPrint(session, changed, { states: [options.state], timeoutMs: options.timeout ?? waitDefaultMs });
  }
  throwAll(session, errors);
}

async function waitAndPrint(
  session: Session,
  names: readonly string[],
  options: { readonly states: readonly VmStatus_State[]; readonly timeoutMs: number },
): Promise<void> {
  const outcomes = await waitForVms(session, names, {
    ...options,
    isQuiet: false,
    onDone: (vm) => printResource(session, { schema: VmSchema, message: vm }, () => `${vmLine(vm)}\n`),
  });
  throwAll(session, failureOf(outcomes));
}

function parseState(text: string): VmStatus_State {
  const value = VmStatus_StateSchema.values.find(
    ({ localName, number }) => number !== 0 && localName === text.toUpperCase(),
  );
  if (value === undefined) throw new InvalidArgumentError("Write a state, such as running, stopped or failed.");
  // The descriptor's numbers are the values of the type.
  return value.number as VmStatus_State;
}
