/** `meridian template`: the golden images that VMs are made of. */
import type { Program } from "./program-type.ts";
import { registerTemplateChange } from "./template/change.ts";
import { registerTemplateJudge } from "./template/judge.ts";
import { registerTemplatePrefetch } from "./template/prefetch.ts";
import { registerTemplateRead } from "./template/read.ts";
import type { Terminal } from "./terminal.ts";

export function registerTemplate(program: Program, terminal: Terminal): void {
  const noun = program
    .command("template")
    .summary("keep the golden images of VMs")
    .description("Keeps the golden images that VMs are made of.");
  registerTemplateRead(noun, terminal);
  registerTemplateChange(noun, terminal);
  registerTemplateJudge(noun, terminal);
  registerTemplatePrefetch(noun, terminal);
}
