/**
 * Taking turns: at most so many at once under a key, in the order in which they asked. Commands for one VM take turns, and so
 * do the makings of VMs from one image and the makings on this Mac in all.
 */
import { abortReason } from "../deadline.ts";

interface Line {
  active: number;
  readonly waiting: (() => void)[];
}

export class Turns {
  readonly #lines = new Map<string, Line>();

  /**
   * Resolves when it is the caller's turn, with the function that ends the turn (twice is harmless). Rejects with the signal's
   * reason when that is aborted first. Who asks first comes first: the place in the line is taken before this returns.
   *
   * @param limit how many may be active at once under this key; read anew at each turn, at least 1.
   */
  take(key: string, limit: () => number, signal: AbortSignal): Promise<() => void> {
    const line = this.#lines.get(key) ?? { active: 0, waiting: [] };
    this.#lines.set(key, line);
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        this.#forgetEmpty(key, line);
        reject(abortReason(signal));
        return;
      }
      const begin = (): void => {
        signal.removeEventListener("abort", onAbort);
        line.active += 1;
        resolve(this.#endOnce(key, line, limit));
      };
      const onAbort = (): void => {
        const place = line.waiting.indexOf(begin);
        if (place >= 0) line.waiting.splice(place, 1);
        this.#forgetEmpty(key, line);
        reject(abortReason(signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      line.waiting.push(begin);
      admit(line, limit);
    });
  }

  #endOnce(key: string, line: Line, limit: () => number): () => void {
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      line.active -= 1;
      admit(line, limit);
      this.#forgetEmpty(key, line);
    };
  }

  #forgetEmpty(key: string, line: Line): void {
    if (line.active === 0 && line.waiting.length === 0) this.#lines.delete(key);
  }
}

function admit(line: Line, limit: () => number): void {
  while (line.waiting.length > 0 && line.active < Math.max(1, limit())) line.waiting.shift()?.();
}
