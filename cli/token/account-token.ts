/** Makes a token of a service account, and the account with it if it is not there. */
import { toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { required } from "../../shared/assert.ts";
import { type ServiceAccount, TokenSchema } from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { Failure, wrongUsage } from "../failure.ts";
import { describeFailure } from "../server-failure.ts";
import { printJson, type Session } from "../session.ts";
import { formatDuration } from "../values/duration.ts";
import { resourceName, shortName } from "../values/name.ts";
import { type Binding, formatRoles } from "../values/role.ts";

export interface AccountTokenFlags {
  readonly serviceAccount: string;
  /** Absent: those that the account has. */
  readonly roles?: readonly Binding[] | undefined;
  /** In ms. */
  readonly ttl?: number | undefined;
  /** In ms. */
  readonly othersEndIn?: number | undefined;
  readonly description?: string | undefined;
  readonly requestId?: string | undefined;
}

export async function createAccountToken(session: Session, flags: AccountTokenFlags): Promise<void> {
  const { ttl, othersEndIn, description = "", requestId = "" } = flags;
  const account = await findOrMake(session, flags);
  const { token, secret } = await session.access.createToken(
    {
      token: {
        spec: { serviceAccount: account.name, description, ...(ttl !== undefined && { ttl: durationFromMs(ttl) }) },
      },
      requestId,
      ...(othersEndIn !== undefined && { othersEndIn: durationFromMs(othersEndIn) }),
    },
    session.call,
  );
  const made = required(token, "token in the answer");
  const { stdout, stderr } = session.terminal;
  if (session.isJson) {
    printJson(session, { token: toJson(TokenSchema, made), secret });
    return;
  }
  if (secret === "") {
    stderr.write(`${made.name} was made before; its token was shown then, and is shown once.\n`);
    return;
  }
  // It alone, so that a script can take it; the rest is for people.
  stdout.write(`${secret}\n`);
  const expireTime = made.status?.expireTime;
  const left = expireTime === undefined ? "" : formatDuration(timestampMs(expireTime) - session.nowMs);
  const roles = formatRoles(account.spec?.bindings ?? []);
  stderr.write(`${made.name} of ${account.name} (${roles}), ends in ${left}. It is shown this once.\n`);
}

async function findOrMake(session: Session, { serviceAccount, roles }: AccountTokenFlags): Promise<ServiceAccount> {
  const name = resourceName("serviceAccounts", serviceAccount);
  const known = await find(session, name, roles !== undefined);
  if (known === undefined) {
    const answer = await session.access.createServiceAccount(
      {
        serviceAccountId: shortName(name),
        serviceAccount: { spec: { bindings: (roles ?? []).map((binding) => ({ ...binding })) } },
      },
      session.call,
    );
    return required(answer.serviceAccount, "account in the answer");
  }
  const has = known.spec?.bindings ?? [];
  const lacks = roles?.filter(
    (wanted) => !has.some(({ role, project }) => role === wanted.role && project === wanted.project),
  );
  if (lacks !== undefined && lacks.length > 0) {
    throw wrongUsage(
      `${name} is there and has other roles: ${formatRoles(has)}`,
      `Leave --role out, or change what it may do: \`meridian account update ${shortName(name)} --role …\`.`,
    );
  }
  return known;
}

/** @param canBeMade whether its absence is no failure. */
async function find(session: Session, name: string, canBeMade: boolean): Promise<ServiceAccount | undefined> {
  try {
    return (await session.access.getServiceAccount({ name }, session.call)).serviceAccount;
  } catch (error) {
    const failure = describeFailure(error, session.connection, session.terminal.interrupted);
    const isAbsent = failure instanceof Failure && failure.options.reason === "RESOURCE_NOT_FOUND";
    if (isAbsent && canBeMade) return undefined;
    if (!isAbsent) throw error;
    throw new Failure(failure.message, {
      ...failure.options,
      hint: `Give it roles, such as \`--role user --project acme\`, and it is made.`,
    });
  }
}
