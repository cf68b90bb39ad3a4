/** `template revoke --purge --wait`: shows how far the hosts are with the removal of a template's images, until none has any. */
import { required } from "../../shared/assert.ts";
import { type ImagePurge, type Template, TemplateSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { inParallel } from "../parallel.ts";
import { printResource, type Session } from "../session.ts";
import { resourceName, shortName } from "../values/name.ts";
import { throwAll } from "../verbs.ts";
import { openProgressLine, type ProgressLine } from "../vm/progress.ts";
import { formatPurge } from "./image-view.ts";
import { lookUntilEnded } from "./look.ts";

export interface PurgeOptions {
  /** Begins the purge of one template. */
  readonly revoke: (name: string) => Promise<{ readonly template?: Template | undefined }>;
  /** Undefined: without a bound. */
  readonly timeoutMs: number | undefined;
}

/** How many templates are followed at once. */
const followedMax = 16;

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

function untilPurged(
  session: Session,
  begun: Template,
  { line, timeoutMs }: { readonly line: ProgressLine; readonly timeoutMs: number | undefined },
): Promise<Template> {
  const { name } = begun;
  return lookUntilEnded(session, begun, {
    timeoutMs,
    hasEnded: (template) => purgeIn(template).done,
    show: (template) => line.show(`${name}: ${formatPurge(purgeIn(template))}`),
    timedOut: (template) => timedOut(name, purgeIn(template)),
  });
}

function purgeIn({ name, status }: Template): ImagePurge {
  if (status?.purge !== undefined) return status.purge;
  throw new Failure(`${name} is not being purged any more: it was restored, or revoked anew`, {
    exitCode: exitCodes.failed,
  });
}

function timedOut(name: string, purge: ImagePurge): Failure {
  return new Failure(`${name} is not purged yet: ${formatPurge(purge)}`, {
    exitCode: exitCodes.timedOut,
    hint: `The purge goes on: \`meridian template get ${shortName(name)}\` shows how far it is.`,
  });
}
