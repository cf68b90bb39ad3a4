/** `meridian token revoke, delete`. */

import { required } from "../../shared/assert.ts";
import { JoinTokenSchema } from "../../shared/gen/es/meridian/v1/join_token_pb.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";

export function registerTokenChange(noun: Program, terminal: Terminal): void {
  noun
    .command("revoke")
    .argument("<token...>", "the tokens' names")
    .summary("let nobody in with a token any more")
    .description(
      "Refuses the token from now on. Hosts that have enrolled with a join token stay; what goes on with the token of a service " +
        "account ends at once, and the token is forgotten.",
    )
    .addHelpText("after", examples("token revoke join-k3v5q2", "token revoke token-7kq2mzw4xp"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          if (isOfAccount(text)) {
            const name = resourceName("tokens", text);
            await session.access.revokeToken({ name }, session.call);
            if (!session.isJson) terminal.stdout.write(`${name} revoked\n`);
            return;
          }
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
    .summary("end and forget a join token")
    .description("Ends the join token and forgets it. Hosts that have enrolled with it stay.")
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

/** The server begins the names of such tokens like this; a join token that somebody named so needs its full name. */
function isOfAccount(text: string): boolean {
  return /^(?:tokens\/|token-)/.test(text);
}
