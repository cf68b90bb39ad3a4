/** Everything that takes bytes from outside. */
import { portTargets } from "./ports/port-targets.ts";
import type { TargetMaker } from "./target.ts";
import { accessTargets } from "./targets/access.ts";
import { apiTextTargets } from "./targets/api-text.ts";
import { commandLineTargets } from "./targets/command-line.ts";
import { linkTargets } from "./targets/link-message.ts";
import { localApiTargets } from "./targets/local-api.ts";
import { storedTargets } from "./targets/stored.ts";

export const decoderTargets: readonly TargetMaker[] = [
  ...apiTextTargets,
  ...accessTargets,
  ...linkTargets,
  ...localApiTargets,
  ...storedTargets,
  ...commandLineTargets,
];

export const targets: readonly TargetMaker[] = [...decoderTargets, ...portTargets];
