/** From the kind of a command to the code that does it. */
import { assertNever } from "../../shared/assert.ts";
import type { Command } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { configure } from "./configure.ts";
import { create } from "./create.ts";
import { deleteVm } from "./delete.ts";
import { exec } from "./exec.ts";
import { pause } from "./pause.ts";
import { prefetchImage } from "./prefetch-image.ts";
import { purgeImage } from "./purge-image.ts";
import { reset } from "./reset.ts";
import { restart } from "./restart.ts";
import { resume } from "./resume.ts";
import { start } from "./start.ts";
import { stop } from "./stop.ts";
import { suspend } from "./suspend.ts";

export type Action = NonNullable<Command["action"]>;

/** Does what the command says; rejects with why it could not. */
export function perform(context: CommandContext, action: Action): Promise<CommandOutcome> {
  switch (action.$case) {
    case "create":
      return create(context, action.create);
    case "start":
      return start(context, action.start);
    case "stop":
      return stop(context, action.stop);
    case "suspend":
      return suspend(context);
    case "resume":
      return resume(context, action.resume);
    case "pause":
      return pause(context);
    case "restart":
      return restart(context, action.restart);
    case "reset":
      return reset(context, action.reset);
    case "delete":
      return deleteVm(context, action.delete);
    case "configure":
      return configure(context, action.configure);
    case "exec":
      return exec(context, action.exec);
    case "prefetchImage":
      return prefetchImage(context, action.prefetchImage);
    case "purgeImage":
      return purgeImage(context, action.purgeImage);
    default:
      return assertNever(action, "command");
  }
}
