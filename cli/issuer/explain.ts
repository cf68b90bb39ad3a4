/** `meridian issuer explain`. */
import { readFile } from "node:fs/promises";
import {
  type ExplainIssuerResponse,
  ExplainIssuerResponseSchema,
} from "../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { formatRule } from "../values/issuer-rule.ts";
import { resourceName } from "../values/name.ts";
import { formatRoles } from "../values/role.ts";
import { examples } from "../verbs.ts";

export function registerIssuerExplain(noun: Program, terminal: Terminal): void {
  noun
    .command("explain")
    .argument("<issuer>", "the issuer's name")
    .summary("say what an issuer's rules make of a job")
    .description(
      "Says which rules hold for a token's claims, which do not and why. A token in the file is taken apart here: only its claims " +
        "are sent, and nothing is proven of them.",
    )
    .requiredOption("--claims <file>", "the claims in JSON, or a token; - reads standard input")
    .addHelpText("after", examples("issuer explain github --claims claims.json", "issuer explain github --claims -"))
    .action((text, { claims: file }, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("issuers", text);
        const claimsJson = claimsIn(await read(file));
        const message = await session.access.explainIssuer({ name, claimsJson }, session.call);
        printResource(session, { schema: ExplainIssuerResponseSchema, message }, () => explained(message));
      }),
    );
}

async function read(file: string): Promise<string> {
  try {
    return (await readFile(file === "-" ? "/dev/stdin" : file, "utf8")).trim();
  } catch (error) {
    throw wrongUsage(`${file} cannot be read`, error instanceof Error ? error.message : String(error));
  }
}

/** The claims of a token stand in its middle part. */
function claimsIn(text: string): string {
  const [, payload] = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(text) ?? [];
  return payload === undefined ? text : Buffer.from(payload, "base64url").toString("utf8");
}

function explained({ rules, problems, principal, bindings }: ExplainIssuerResponse): string {
  const lines = [
    `${principal === "" ? "Somebody" : principal}: ${bindings.length === 0 ? "no rule holds" : formatRoles(bindings)}`,
    ...problems.map((problem) => `  refused: ${problem}`),
    ...rules.map(({ rule, holds, problem }) => {
      const words = rule === undefined ? "" : formatRule(rule);
      return `  ${holds ? "holds" : "does not hold"}: ${words}${problem === "" ? "" : ` (${problem})`}`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}
