/** `meridian token`: what lets Macs into the pool, and programs to the server. */
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { registerTokenChange } from "./token/change.ts";
import { registerTokenCreate } from "./token/create.ts";
import { registerTokenRead } from "./token/read.ts";

export function registerToken(program: Program, terminal: Terminal): void {
  const noun = program
    .command("token")
    .summary("let Macs and programs in")
    .description(
      "Makes the tokens that let Macs into the pool and programs to the server, shows what became of them, and ends them.",
    );
  registerTokenCreate(noun, terminal);
  registerTokenChange(noun, terminal);
  registerTokenRead(noun, terminal);
}
