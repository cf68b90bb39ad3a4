/** `meridian ca`: the pool's own CA, and its rotation. */
import { required } from "../shared/assert.ts";
import {
  type CertificateAuthority,
  CertificateAuthoritySchema,
} from "../shared/gen/es/meridian/v1/access_service_pb.ts";
import { moment } from "./output/time.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, type Session, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { examples } from "./verbs.ts";

export function registerCertificateAuthority(program: Program, terminal: Terminal): void {
  const noun = program
    .command("ca")
    .summary("look at the pool's CA, and replace it")
    .description("Shows the CA that signs the certificates of the server and of every host, and replaces it.");

  noun
    .command("get")
    .summary("show the CA")
    .description("Shows the CA's fingerprint, which clients pin, and whether it is being replaced.")
    .option("--pem", "print its certificates in PEM")
    .addHelpText("after", examples("ca get", "ca get --pem > ca.pem"))
    .action(({ pem }, command) =>
      withSession(terminal, command, async (session) => {
        const answer = await session.access.getCertificateAuthority({}, session.call);
        if (pem === true) terminal.stdout.write(pemOf(required(answer.certificateAuthority, "CA in the answer")));
        else print(session, answer.certificateAuthority);
      }),
    );

  noun
    .command("rotate")
    .summary("put a new CA in the place of the present one")
    .description(
      "Makes a new CA, which signs from now on; the present one is taken until `ca finish`. Agents that are connected get new " +
        "certificates by themselves within minutes, others when they return. Clients that pin the present one go on until " +
        "then, and pin the new one meanwhile.",
    )
    .addHelpText("after", examples("ca rotate"))
    .action((_options, command) =>
      withSession(terminal, command, async (session) => {
        print(session, (await session.access.rotateCertificateAuthority({}, session.call)).certificateAuthority);
      }),
    );

  noun
    .command("finish")
    .summary("take certificates of the CA before no longer")
    .description("Ends a rotation: certificates of the CA before are refused, and so are clients that pin it.")
    .option("--force", "even though some hosts have no new certificate yet; they have to enrol anew")
    .addHelpText("after", examples("ca finish"))
    .action(({ force }, command) =>
      withSession(terminal, command, async (session) => {
        const request = { force: force === true };
        print(
          session,
          (await session.access.finishCertificateAuthorityRotation(request, session.call)).certificateAuthority,
        );
      }),
    );
}

function print(session: Session, authority: CertificateAuthority | undefined): void {
  const message = required(authority, "CA in the answer");
  printResource(session, { schema: CertificateAuthoritySchema, message }, () => detail(session, message));
}

function detail(session: Session, authority: CertificateAuthority): string {
  const { current, previous, rotateTime, pendingHosts, pendingHostCount } = authority;
  const { nowMs } = session;
  const more = pendingHostCount > pendingHosts.length ? ", …" : "";
  return detailView(session)
    .facts([
      ["Fingerprint", current?.fingerprint ?? ""],
      ["Ends", moment(current?.expireTime, nowMs)],
      ["CA before", previous?.fingerprint ?? ""],
      ["Replaced", moment(rotateTime, nowMs)],
      ["Hosts to follow", pendingHostCount === 0 ? "" : `${pendingHostCount}: ${pendingHosts.join(", ")}${more}`],
    ])
    .toString();
}

function pemOf({ current, previous }: CertificateAuthority): string {
  return `${current?.certificatePem ?? ""}${previous?.certificatePem ?? ""}`;
}
