/** `meridian vm`: makes, watches, changes and removes VMs. */
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { registerAdopt } from "./vm/adopt.ts";
import { registerCreate } from "./vm/create.ts";
import { registerExec } from "./vm/exec.ts";
import { registerExplain } from "./vm/explain.ts";
import { registerLifecycle } from "./vm/lifecycle.ts";
import { registerRead } from "./vm/read.ts";

export function registerVm(program: Program, terminal: Terminal): void {
  const noun = program
    .command("vm")
    .summary("make, watch, change and remove VMs")
    .description("Makes, watches, changes and removes VMs of the pool.");
  registerCreate(noun, terminal);
  registerAdopt(noun, terminal);
  registerRead(noun, terminal);
  registerLifecycle(noun, terminal);
  registerExplain(noun, terminal);
  registerExec(noun, terminal);
}
