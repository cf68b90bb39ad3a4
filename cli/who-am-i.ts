/** `meridian whoami`. */
import { WhoAmIResponseSchema } from "../shared/gen/es/meridian/v1/access_service_pb.ts";
import { moment } from "./output/time.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { formatRoles } from "./values/role.ts";
import { examples } from "./verbs.ts";

export function registerWhoAmI(program: Program, terminal: Terminal): void {
  program
    .command("whoami")
    .summary("show who the server takes you for")
    .description("Shows who the server takes you for, how you have proven it, and what you may do.")
    .addHelpText("after", examples("whoami", "whoami --json"))
    .action((_options, command) =>
      withSession(terminal, command, async (session) => {
        const message = await session.access.whoAmI({}, session.call);
        const { principal, authentication, address, bindings, expireTime } = message;
        printResource(session, { schema: WhoAmIResponseSchema, message }, () =>
          detailView(session)
            .heading(principal, "", "plain")
            .facts([
              ["Proven by", provenBy[authentication] ?? authentication],
              ["From", address],
              ["Roles", formatRoles(bindings)],
              ["Ends", moment(expireTime, session.nowMs)],
              ["Server", session.connection.server],
            ])
            .toString(),
        );
      }),
    );
}

const provenBy: Readonly<Record<string, string>> = {
  none: "nothing: the server is insecure and asks nobody",
  "admin-token": "the operator's own token",
  token: "a token of a service account",
  oidc: "a token of an identity provider",
};
