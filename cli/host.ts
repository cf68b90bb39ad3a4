/** `meridian host`: shows and steers the Macs of the pool. */
import { registerHostChange } from "./host/change.ts";
import { registerHostRead } from "./host/read.ts";
import { registerHostVm } from "./host/vm.ts";
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";

export function registerHost(program: Program, terminal: Terminal): void {
  const noun = program
    .command("host")
    .summary("look at and steer the Macs of the pool")
    .description("Looks at and steers the Macs of the pool.");
  registerHostRead(noun, terminal);
  registerHostChange(noun, terminal);
  registerHostVm(noun, terminal);
}
