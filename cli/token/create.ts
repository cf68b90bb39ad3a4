/** `meridian token create`: a token that lets Macs join, or one of a service account. */
import { Option } from "@commander-js/extra-typings";
import { roleOption } from "../account/change.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { formatAddress, parseAddress } from "../values/address.ts";
import { parseDurationMs } from "../values/duration.ts";
import { collectLabel } from "../values/label.ts";
import { wholeNumber } from "../values/number.ts";
import { inProject } from "../values/role.ts";
import { examples } from "../verbs.ts";
import { createAccountToken } from "./account-token.ts";
import { createJoinToken } from "./join-token.ts";

export function registerTokenCreate(noun: Program, terminal: Terminal): void {
  noun
    .command("create")
    .summary("make a token")
    .description(
      "Makes a token and prints it, this once. With --join it lets Macs join: one string that says where the server is, how it " +
        "proves who it is, and that a Mac may enrol; give it to `meridian agent --join-token`. With --service-account it lets " +
        "a program in as that account, which is made if it is not there and roles are given; set MERIDIAN_TOKEN to it.",
    )
    .addOption(new Option("--join", "a token that lets Macs join").conflicts(accountFlags))
    .option("--service-account <account>", "a token of this service account")
    .addOption(roleOption())
    .option("--project <project>", "where, for roles that name no project themselves")
    .addOption(
      new Option("--others-end-in <duration>", "when the account's other tokens end (default: as before)").argParser(
        parseDurationMs,
      ),
    )
    .addOption(
      new Option("--ttl <duration>", "how long it is good for (default: 1h to join, else 90d)").argParser(
        parseDurationMs,
      ),
    )
    .addOption(
      new Option("--id <id>", "a join token's name's last part (default: the server makes one)").conflicts(
        "serviceAccount",
      ),
    )
    .addOption(
      new Option("--uses <number>", "how many Macs may enrol with it (default: 1)")
        .argParser(wholeNumber(1, 100_000))
        .conflicts("serviceAccount"),
    )
    .addOption(
      new Option("--host-pattern <pattern>", "which hosts may enrol, such as build-* (default: any)").conflicts(
        "serviceAccount",
      ),
    )
    .addOption(
      new Option("--label <key=value>", "what such hosts are labelled with; may be repeated")
        .argParser(collectLabel)
        .conflicts("serviceAccount"),
    )
    .addOption(
      new Option("--agent-server <address>", "where agents shall dial; may be repeated (default: as the server says)")
        .argParser((text: string, previous: readonly string[] | undefined) => [
          ...(previous ?? []),
          formatAddress(parseAddress(text)),
        ])
        .conflicts("serviceAccount"),
    )
    .option("--description <text>", "for people")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new, and prints no token")
    .addHelpText(
      "after",
      examples(
        "token create --join",
        "token create --join --uses 20 --ttl 1d --host-pattern 'build-*' --label team=ios",
        "token create --service-account ci --role user --project acme --ttl 30d",
        "token create --service-account ci --others-end-in 1d",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, (session) => {
        const { serviceAccount, role, project, ...others } = options;
        if (serviceAccount !== undefined) {
          return createAccountToken(session, {
            ...others,
            serviceAccount,
            roles: role && inProject(role, project),
          });
        }
        if (options.join !== true) {
          throw wrongUsage(
            "what the token is for is missing",
            "`meridian token create --join` lets Macs join, `--service-account NAME` lets a program in.",
          );
        }
        return createJoinToken(session, others);
      }),
    );
}

const accountFlags = ["serviceAccount", "role", "project", "othersEndIn"];
