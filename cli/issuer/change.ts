/** `meridian issuer create, update, delete`. */
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { IssuerSchema } from "../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { collectRule, type RuleText } from "../values/issuer-rule.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";

/** Each verb needs one of its own: commander keeps in it what was said. */
function ruleOption() {
  return new Option(
    "--rule <role[@project]: condition>",
    "a role for callers whose token meets a condition in CEL; may be repeated",
  ).argParser(collectRule);
}

function audienceOption() {
  return new Option("--audience <audience>", "take tokens for this audience (`aud`); may be repeated").argParser(
    (text: string, previous: readonly string[] | undefined) => [...(previous ?? []), text],
  );
}

export function registerIssuerChange(noun: Program, terminal: Terminal): void {
  noun
    .command("create")
    .summary("take an identity provider's tokens")
    .description(
      "Takes an identity provider's tokens from now on. Choose an audience that only this pool uses, and rules that name whose " +
        "jobs they are for: everybody on such a platform gets tokens from it.",
    )
    .option("--id <id>", "the name's last part (default: the server makes one)")
    .requiredOption("--url <url>", "the issuer as its tokens name it in `iss`")
    .addOption(audienceOption().makeOptionMandatory())
    .addOption(ruleOption())
    .option("--description <text>", "for people")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .addHelpText(
      "after",
      examples(
        "issuer create --id github --url https://token.actions.githubusercontent.com --audience meridian.acme.example " +
          "--rule 'user@acme: repository == \"acme/app\"'",
        "issuer create --id gitlab --url https://gitlab.acme.example --audience meridian.acme.example " +
          '--rule \'user@ios: project_path == "ios/app" && ref_protected == "true"\'',
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        const { id = "", url, audience, rule = [], description = "", requestId = "" } = options;
        const spec = { description, url, audiences: [...audience], rules: rulesOf(rule) };
        const { issuer } = await session.access.createIssuer(
          { issuer: { spec }, issuerId: id, requestId },
          session.call,
        );
        const message = required(issuer, "issuer in the answer");
        printResource(session, { schema: IssuerSchema, message }, () => `${message.name}\n`);
      }),
    );

  noun
    .command("update")
    .argument("<issuer>", "the issuer's name")
    .summary("change an issuer")
    .description(
      "Changes what the flags say and nothing else, at once: what goes on with the issuer's tokens ends if it may no longer. " +
        "Rules that are given take the place of all that it had, and so do audiences.",
    )
    .option("--url <url>", "the issuer as its tokens name it in `iss`")
    .addOption(audienceOption())
    .addOption(ruleOption())
    .option("--no-rules", "take all rules away")
    .option("--description <text>", "for people")
    .addOption(new Option("--disable", "refuse its tokens").conflicts("enable"))
    .option("--enable", "take them again")
    .addHelpText(
      "after",
      examples(
        'issuer update github --rule \'user@acme: repository == "acme/app" && ref == "refs/heads/main"\'',
        "issuer update github --disable",
      ),
    )
    .action((text, options, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("issuers", text);
        const { url, audience, rule, rules: keepsRules, description, disable, enable } = options;
        const rules = keepsRules ? rule && rulesOf(rule) : [];
        const isSwitched = disable === true || enable === true;
        const spec = {
          ...(url !== undefined && { url }),
          ...(audience !== undefined && { audiences: [...audience] }),
          ...(rules !== undefined && { rules }),
          ...(description !== undefined && { description }),
          ...(isSwitched && { disabled: disable === true }),
        };
        const paths = Object.keys(spec).map((field) => `spec.${field}`);
        if (paths.length === 0)
          throw wrongUsage("nothing to change", "`meridian issuer update --help` lists what can be.");
        const { issuer } = await session.access.updateIssuer(
          { issuer: { name, spec }, updateMask: { paths } },
          session.call,
        );
        const message = required(issuer, "issuer in the answer");
        printResource(session, { schema: IssuerSchema, message }, () => `${message.name} updated\n`);
      }),
    );

  noun
    .command("delete")
    .argument("<issuer...>", "the issuers' names")
    .summary("take an identity provider's tokens no longer")
    .description("Takes no tokens of the issuers any more, and ends what goes on with them. VMs stay.")
    .addHelpText("after", examples("issuer delete github"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("issuers", text);
          await session.access.deleteIssuer({ name }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}

function rulesOf(rules: readonly RuleText[]) {
  return rules.map(({ condition, binding }) => ({ condition, binding: { ...binding } }));
}
