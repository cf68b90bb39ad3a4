/** `meridian token`: what lets Macs into the pool. */
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { registerTokenChange } from "./token/change.ts";
import { registerTokenRead } from "./token/read.ts";

export function registerToken(program: Program, terminal: Terminal): void {
  const noun = program
    .command("token")
    .summary("let Macs into the pool")
    .description("Makes the tokens that let Macs into the pool, shows what became of them, and ends them.");
  registerTokenChange(noun, terminal);
  registerTokenRead(noun, terminal);
}
