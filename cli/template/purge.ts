/** `template revoke --purge --wait`: shows how far the hosts are with the removal of a template's images, until none has any. */
import { required } from "../../shared/assert.ts";
import { sleep } from "../../shared/clock.ts";
import { type ImagePurge, type Template, TemplateSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { inParallel } from "../parallel.ts";
import { isConnectionLost } from "../server-failure.ts";
import { printResource, type Session } from "../session.ts";
import { resourceName, shortName } from "../values/name.ts";
import { throwAll } from "../verbs.ts";
import { openProgressLine, type ProgressLine } from "../vm/progress.ts";
import { formatPurge } from "./image-view.ts";

export interface PurgeOptions {
  /** Begins the purge of one template. */
  readonly revoke: (name: string) => Promise<{ readonly template?: Template | undefined }>;
  /** Undefined: without a bound. */
  readonly timeoutMs: number | undefined;
}

/** How many templates are followed at once. */
const followedMax = 16;
/** How long to wait before the next look. What changes is the hosts, so that a watch of the template would tell nothing. */
const lookPeriodMs = 1000;

export async function purgeAndWait(session: Session, texts: readonly string[], options: PurgeOptions): Promise<void> {
  const line = openProgressLine(session.terminal);
  const outcomes = await inParallel(texts, followedMax, async (text) => {
    const name = resourceName("templates", text);
    const begun = required((await options.revoke(name)).template, "template in the answer");
    const template = await untilPurged(session, begun, { line, timeoutMs: options.timeoutMs });
    line.clear();
    const progress = formatPurge(required(template.status?.purge, "purge of a template"));
    printResource(session, { schema: TemplateSchema, message: template }, () => `${name} is revoked, ${progress}\n`);
  });
  line.clear();
  throwAll(
    session,
    outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : [])),
  );
}

async function untilPurged(
  session: Session,
  begun: Template,
  { line, timeoutMs }: { readonly line: ProgressLine; readonly timeoutMs: number | undefined },
): Promise<Template> {
  const { clock, interrupted } = session.terminal;
  const { name } = begun;
  const endMs = clock.monotonicMs() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  for (let template = begun; ; template = (await look(session, name)) ?? template) {
    const purge = template.status?.purge;
    if (purge === undefined) {
      throw new Failure(`${name} is not being purged any more: it was restored, or revoked anew`, {
        exitCode: exitCodes.failed,
      });
    }
    if (purge.done) return template;
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0) throw timedOut(name, purge);
    line.show(`${name}: ${formatPurge(purge)}`);
    await sleep(clock, Math.min(lookPeriodMs, leftMs), interrupted);
  }
}

/** The template as it is; nothing while the server restarts, which the purge does not notice. */
async function look(session: Session, name: string): Promise<Template | undefined> {
  try {
    return (await session.templates.getTemplate({ name }, session.call)).template;
  } catch (error) {
    if (isConnectionLost(error) && !session.terminal.interrupted.aborted) return undefined;
    throw error;
  }
}

function timedOut(name: string, purge: ImagePurge): Failure {
  return new Failure(`${name} is not purged yet: ${formatPurge(purge)}`, {
    exitCode: exitCodes.timedOut,
    hint: `The purge goes on: \`meridian template get ${shortName(name)}\` shows how far it is.`,
  });
}
