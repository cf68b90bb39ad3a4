/** What happened in a run: the newest lines, and a digest of all, by which two runs are known to be the same. */

/** How many lines are kept to be shown with a broken rule. */
const keptMax = 60;

export class History {
  /** Called with each line, for whoever wants to see all. */
  onLine: ((line: string) => void) | undefined;
  readonly #lines: string[] = [];
  #digest = 0x811c9dc5;

  note(timeMs: number, text: string): void {
    const line = `${(timeMs / 1000).toFixed(3).padStart(10)} s  ${text}`;
    this.onLine?.(line);
    this.#lines.push(line);
    if (this.#lines.length > keptMax) this.#lines.shift();
    for (let at = 0; at < line.length; at += 1) {
      this.#digest = Math.imul(this.#digest ^ line.charCodeAt(at), 0x01000193) >>> 0;
    }
  }

  get digest(): string {
    return this.#digest.toString(16).padStart(8, "0");
  }

  lines(): readonly string[] {
    return this.#lines;
  }
}
