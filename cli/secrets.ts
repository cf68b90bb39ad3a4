/** `meridian secrets`: the keys that seal the secrets in the server's records. */
import { required } from "../shared/assert.ts";
import { type SecretsKey, SecretsKeySchema } from "../shared/gen/es/meridian/v1/access_service_pb.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, type Session, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { examples } from "./verbs.ts";

export function registerSecrets(program: Program, terminal: Terminal): void {
  const noun = program
    .command("secrets")
    .summary("look at the key that seals secrets, and replace it")
    .description(
      "Shows and replaces the key that seals the secrets in the server's records, such as the credentials of catalogs. No " +
        "backup holds the key: keep a copy of its file elsewhere.",
    );

  noun
    .command("status")
    .summary("show which key seals, and how many secrets there are")
    .description("Shows the id of the key that seals, those of keys before it, and where the server has them.")
    .addHelpText("after", examples("secrets status"))
    .action((_options, command) =>
      withSession(terminal, command, async (session) => {
        print(session, (await session.access.getSecretsKey({}, session.call)).secretsKey);
      }),
    );

  noun
    .command("rotate")
    .summary("seal everything with a new key")
    .description(
      "Makes a new key and seals all secrets with it, while the server goes on serving. Keys before it stay in the file, up to " +
        "eight in all, for backups of their time. Copy the file again afterwards. A server that has its key from its " +
        "environment is given a new one there, before the others, and restarted.",
    )
    .addHelpText("after", examples("secrets rotate"))
    .action((_options, command) =>
      withSession(terminal, command, async (session) => {
        print(session, (await session.access.rotateSecretsKey({}, session.call)).secretsKey);
      }),
    );
}

function print(session: Session, secretsKey: SecretsKey | undefined): void {
  const message = required(secretsKey, "keys in the answer");
  printResource(session, { schema: SecretsKeySchema, message }, () =>
    detailView(session)
      .facts([
        ["Key", message.id],
        ["Keys before", message.olderIds.join(", ")],
        ["Kept in", message.location],
        ["Secrets", String(message.secretCount)],
      ])
      .toString(),
  );
}
