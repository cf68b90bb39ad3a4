/** Watches: a line for every change, until interrupted; with --json each event as one line of JSON. */
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { type WatchEventType, WatchEventTypeSchema } from "../shared/gen/es/meridian/v1/types_pb.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { stateTone } from "./output/paint.ts";
import { cut, pad, printable } from "./output/text.ts";
import { isConnectionLost } from "./server-failure.ts";
import type { Session } from "./session.ts";
import { enumName } from "./values/enum.ts";

export const fromRevisionOption = new Option(
  "--from-revision <revision>",
  "only changes after this revision (default: first all that is there)",
).argParser((text) => {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError("Write a revision, a whole number.");
  return BigInt(text);
});

/** What a person sees of a changed resource. */
export interface WatchLine {
  readonly name: string;
  readonly state: string;
  readonly message: string;
}

interface WatchEvent {
  readonly type: WatchEventType;
  readonly revision: bigint;
}

const typeWidth = "BOOKMARK".length;
const nameWidth = 28;
const stateWidth = "DISCONNECTED".length;

export async function printWatch<Desc extends DescMessage>(
  session: Session,
  schema: Desc,
  watch: {
    readonly events: AsyncIterable<MessageShape<Desc> & WatchEvent>;
    /** The line for an event, or nothing for one without a resource. */
    readonly line: (event: MessageShape<Desc> & WatchEvent) => WatchLine | undefined;
  },
): Promise<void> {
  const { stdout } = session.terminal;
  let revision: bigint | undefined;
  try {
    for await (const event of watch.events) {
      revision = event.revision;
      if (session.isJson) {
        stdout.write(`${JSON.stringify(toJson(schema, event))}\n`);
      } else {
        const line = watch.line(event);
        if (line !== undefined) stdout.write(lineText(session, enumName(WatchEventTypeSchema, event.type), line));
      }
      await stdout.drained();
    }
  } catch (error) {
    if (revision !== undefined && !session.terminal.interrupted.aborted && isConnectionLost(error)) {
      throw brokenOff(session, revision, error);
    }
    throw error;
  }
  if (revision !== undefined) throw brokenOff(session, revision, undefined);
}

function lineText(session: Session, type: string, { name, state, message }: WatchLine): string {
  const head = `${pad(type, typeWidth)}  ${pad(printable(name), nameWidth)}  `;
  const rest = session.terminal.stdout.columns() - head.length - stateWidth - 2;
  const text = cut(printable(message), Math.max(rest, 10));
  return `${head}${session.paint(pad(state, stateWidth), stateTone(state))}  ${text}`.trimEnd().concat("\n");
}

function brokenOff(session: Session, revision: bigint, cause: unknown): Failure {
  return new Failure(`the watch of ${session.connection.server} broke off`, {
    exitCode: exitCodes.unavailable,
    hint: `Watch on, without a gap, with --from-revision ${revision}.`,
    cause,
  });
}
