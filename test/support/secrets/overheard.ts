/** Everything that was written or sent, with where it was: what a test looks for canaries in. */
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { toJsonString } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";

export class Overheard {
  private readonly pieces: { readonly where: string; readonly text: () => string }[] = [];

  /** Something that is complete. */
  add(where: string, text: string): void {
    this.pieces.push({ where, text: () => text });
  }

  /** Something that goes on, such as what a process says. */
  follow(where: string, text: () => string): void {
    this.pieces.push({ where, text });
  }

  /** How much was heard, in characters. */
  get size(): number {
    return this.pieces.reduce((sum, { text }) => sum + text().length, 0);
  }

  /** Where the needles are, each as "where: name of the needle". */
  find(needles: Readonly<Record<string, string>>): readonly string[] {
    const found = this.pieces.flatMap(({ where, text }) => {
      const heard = text();
      return Object.entries(needles).flatMap(([name, needle]) =>
        formsOf(needle).some((form) => heard.includes(form)) ? [`${where}: ${name}`] : [],
      );
    });
    return [...new Set(found)];
  }

  /** Hears every answer, message and error of a client. */
  readonly interceptor: Interceptor = (next) => async (request) => {
    const where = `answer of ${request.method.name}`;
    try {
      const answer = await next(request);
      this.addHeaders(where, answer.header, answer.trailer);
      if (!answer.stream) {
        this.addMessage(where, request.method.output, answer.message);
        return answer;
      }
      return { ...answer, message: this.hearing(where, request.method.output, answer.message) };
    } catch (error) {
      const failure = ConnectError.from(error);
      this.addHeaders(`error of ${request.method.name}`, failure.metadata);
      this.add(`error of ${request.method.name}`, failure.message);
      for (const detail of failure.details) {
        const text =
          "value" in detail && detail.value instanceof Uint8Array ? textOf(detail.value) : JSON.stringify(detail);
        this.add(`details of the error of ${request.method.name}`, text);
      }
      throw error;
    }
  };

  private async *hearing(where: string, schema: DescMessage, messages: AsyncIterable<Message>): AsyncIterable<Message> {
    for await (const message of messages) {
      this.addMessage(where, schema, message);
      yield message;
    }
  }

  private addMessage(where: string, schema: DescMessage, message: Message): void {
    this.add(where, toJsonString(schema, message as MessageShape<DescMessage>));
  }

  private addHeaders(where: string, ...all: readonly Headers[]): void {
    for (const headers of all) this.add(where, JSON.stringify([...headers]));
  }
}

/** As it is, and as bytes are written in JSON. Base64 depends on where the text begins in what is encoded. */
export function formsOf(needle: string): readonly string[] {
  const shifted = [0, 1, 2].map((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(needle)]).toString("base64");
    // What depends on the bytes before and behind is left out.
    return bytes.slice(shift === 0 ? 0 : 4, bytes.length - 4);
  });
  return [needle, ...shifted];
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
