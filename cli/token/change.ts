/** `meridian token create, revoke, delete`. */

import { toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { JoinTokenSchema } from "../../shared/gen/es/meridian/v1/join_token_pb.ts";
import type { Program } from "../program-type.ts";
import { printJson, printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { formatAddress, parseAddress } from "../values/address.ts";
import { formatDuration, parseDurationMs } from "../values/duration.ts";
import { collectLabel } from "../values/label.ts";
import { resourceName } from "../values/name.ts";
import { wholeNumber } from "../values/number.ts";
import { examples, forEachName, requireFlag } from "../verbs.ts";

export function registerTokenChange(noun: Program, terminal: Terminal): void {
  noun
    .command("create")
    .summary("make a join token")
    .description(
      "Makes a join token and prints it, this once: one string that says where the server is, how it proves who it is, and " +
        "that a Mac may enrol. Give it to `meridian agent --join-token`.",
    )
    .option("--join", "a token that lets Macs join")
    .option("--id <id>", "the name's last part (default: the server makes one)")
    .addOption(
      new Option("--uses <number>", "how many Macs may enrol with it").argParser(wholeNumber(1, 100_000)).default(1),
    )
    .addOption(new Option("--ttl <duration>", "how long it is good for (default: 1h)").argParser(parseDurationMs))
    .option("--host-pattern <pattern>", "which hosts may enrol, such as build-* (default: any)")
    .addOption(
      new Option("--label <key=value>", "what such hosts are labelled with; may be repeated").argParser(collectLabel),
    )
    .addOption(
      new Option(
        "--agent-server <address>",
        "where agents shall dial; may be repeated (default: as the server says)",
      ).argParser((text: string, previous: readonly string[] | undefined) => [
        ...(previous ?? []),
        formatAddress(parseAddress(text)),
      ]),
    )
    .option("--description <text>", "for people")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new, and prints no token")
    .addHelpText(
      "after",
      examples(
        "token create --join",
        "token create --join --uses 20 --ttl 1d --host-pattern 'build-*' --label team=ios",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        requireFlag(options.join, "--join", "meridian token create --join");
        const { uses, ttl, hostPattern = "", label = {}, agentServer = [], description = "" } = options;
        const answer = await session.access.createJoinToken(
          {
            joinToken: {
              spec: {
                maxUses: uses,
                hostPattern,
                labels: { ...label },
                description,
                ...(ttl !== undefined && { ttl: durationFromMs(ttl) }),
              },
            },
            joinTokenId: options.id ?? "",
            requestId: options.requestId ?? "",
            addresses: [...agentServer],
          },
          session.call,
        );
        printToken(session, answer);
      }),
    );

  noun
    .command("revoke")
    .argument("<token...>", "the tokens' names")
    .summary("let nobody enrol with a token any more")
    .description("Lets nobody enrol with the token any more. Hosts that have, stay.")
    .addHelpText("after", examples("token revoke join-k3v5q2"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("joinTokens", text);
          const { joinToken } = await session.access.revokeJoinToken({ name }, session.call);
          const message = required(joinToken, "join token in the answer");
          printResource(session, { schema: JoinTokenSchema, message }, () => `${name} revoked\n`);
        }),
      ),
    );

  noun
    .command("delete")
    .argument("<token...>", "the tokens' names")
    .summary("end and forget a token")
    .description("Ends the token and forgets it. Hosts that have enrolled with it stay.")
    .addHelpText("after", examples("token delete join-k3v5q2"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("joinTokens", text);
          await session.access.deleteJoinToken({ name }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}

/** The token alone goes to standard output, so that a script can take it; the rest is for people. */
function printToken(
  session: Session,
  { joinToken, token }: Awaited<ReturnType<Session["access"]["createJoinToken"]>>,
): void {
  const made = required(joinToken, "join token in the answer");
  const { stdout, stderr } = session.terminal;
  if (session.isJson) {
    printJson(session, { joinToken: toJson(JoinTokenSchema, made), token });
    return;
  }
  if (token === "") {
    stderr.write(`${made.name} was made before; its token was shown then, and is shown once.\n`);
    return;
  }
  stdout.write(`${token}\n`);
  const expireTime = made.status?.expireTime;
  const left = expireTime === undefined ? "" : formatDuration(timestampMs(expireTime) - session.nowMs);
  const uses = made.spec?.maxUses ?? 1;
  stderr.write(
    `${made.name}, for ${uses === 1 ? "one Mac" : `${uses} Macs`}, ends in ${left}. It is shown this once.\n`,
  );
}
