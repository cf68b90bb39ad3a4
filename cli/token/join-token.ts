/** Makes a join token. */
import { toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { required } from "../../shared/assert.ts";
import { JoinTokenSchema } from "../../shared/gen/es/meridian/v1/join_token_pb.ts";
import { printJson, type Session } from "../session.ts";
import { formatDuration } from "../values/duration.ts";
import type { Labels } from "../values/label.ts";

export interface JoinTokenFlags {
  readonly id?: string | undefined;
  readonly uses?: number | undefined;
  /** In ms. */
  readonly ttl?: number | undefined;
  readonly hostPattern?: string | undefined;
  readonly label?: Labels | undefined;
  readonly agentServer?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly requestId?: string | undefined;
}

export async function createJoinToken(session: Session, flags: JoinTokenFlags): Promise<void> {
  const { uses = 1, ttl, hostPattern = "", label = {}, agentServer = [], description = "" } = flags;
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
      joinTokenId: flags.id ?? "",
      requestId: flags.requestId ?? "",
      addresses: [...agentServer],
    },
    session.call,
  );
  printToken(session, answer);
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
