/** The agent's figures in one place, each documented where it is used. What is left out has its default. */
import { type CommandTuning, defaultCommandTuning } from "./commands/command-context.ts";
import { type CertificateTuning, defaultCertificateTuning } from "./identity/certificate-keeper.ts";
import { defaultHostWatchTuning, type HostWatchTuning } from "./inventory/host-watch.ts";
import { defaultLeaseTuning, type LeaseTuning } from "./leases/lease-keeper.ts";
import { defaultLinkTuning, type LinkTuning } from "./link/link.ts";
import { defaultSurveyTuning, type SurveyTuning } from "./preflight/survey.ts";

export interface AgentTuning {
  readonly link: LinkTuning;
  readonly watch: HostWatchTuning;
  readonly survey: SurveyTuning;
  readonly commands: CommandTuning;
  readonly leases: LeaseTuning;
  readonly certificate: CertificateTuning;
  /** How long the first look at the Mac may hold up the first Hello, in ms. Default 3,000; 0: not at all. */
  readonly firstLookLimitMs: number;
}

export const defaultAgentTuning: AgentTuning = {
  link: defaultLinkTuning,
  watch: defaultHostWatchTuning,
  survey: defaultSurveyTuning,
  commands: defaultCommandTuning,
  leases: defaultLeaseTuning,
  certificate: defaultCertificateTuning,
  firstLookLimitMs: 3_000,
};
