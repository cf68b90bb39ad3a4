/** Answers that many streams send: made once, and encoded once for all streams of gRPC. */

interface Encoding {
  bytes?: Buffer;
}

/** Of the answers that are shared, and of no others: those of single calls would only fill it. */
const encodings = new WeakMap<object, Encoding>();

/** Where the bytes of a shared answer are kept; undefined: the answer is not shared. */
export function sharedEncodingOf(answer: object): Encoding | undefined {
  return encodings.get(answer);
}

/** The answers that are made of something that many are told, one each, for as long as that is there. */
export class SharedAnswers<Told extends object, Answer extends object> {
  private readonly answers = new WeakMap<Told, Answer>();
  private readonly make: (told: Told) => Answer;

  constructor(make: (told: Told) => Answer) {
    this.make = make;
  }

  of(told: Told): Answer {
    const known = this.answers.get(told);
    if (known !== undefined) return known;
    const answer = this.make(told);
    this.answers.set(told, answer);
    encodings.set(answer, {});
    return answer;
  }
}
