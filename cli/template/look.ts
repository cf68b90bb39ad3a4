/** Looks at a template again and again: it is hosts that change, so that a watch of the template would tell nothing. */
import { sleep } from "../../shared/clock.ts";
import type { Template } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { isConnectionLost } from "../server-failure.ts";
import type { Session } from "../session.ts";

const periodMs = 1000;

export interface TemplateLooks {
  /** Whether that was the last one to look at; throws when there is nothing more to wait for. */
  readonly hasEnded: (template: Template) => boolean;
  /** Called with what is not yet at its end. */
  readonly show: (template: Template) => void;
  /** Undefined: without a bound. */
  readonly timeoutMs: number | undefined;
  /** What to throw when the time is over. */
  readonly timedOut: (template: Template) => Error;
}

/** @param begun the template as the call that began it has answered it. */
export async function lookUntilEnded(session: Session, begun: Template, looks: TemplateLooks): Promise<Template> {
  const { clock, interrupted } = session.terminal;
  const { hasEnded, show, timeoutMs = Number.POSITIVE_INFINITY, timedOut } = looks;
  const endMs = clock.monotonicMs() + timeoutMs;
  for (let template = begun; ; template = (await look(session, begun.name)) ?? template) {
    if (hasEnded(template)) return template;
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0) throw timedOut(template);
    show(template);
    await sleep(clock, Math.min(periodMs, leftMs), interrupted);
  }
}

/** The template as it is; nothing while the server restarts, which the hosts' work does not notice. */
async function look(session: Session, name: string): Promise<Template | undefined> {
  try {
    return (await session.templates.getTemplate({ name }, session.call)).template;
  } catch (error) {
    if (isConnectionLost(error) && !session.terminal.interrupted.aborted) return undefined;
    throw error;
  }
}
