import type { TextSink } from "../io.js";

/** Off and on: a line that is too long ends at the edge of the window instead of going on below, where it could not be taken back. */
const wrapOff = "\u001b[?7l";
export const wrapOn = "\u001b[?7h";
const eraseBelow = "\r\u001b[J";

/**
 * The line below all others of a terminal, which changes in place. Each change is one write, so that nothing flickers; the cursor stays visible, so that a process
 * that is killed leaves nothing to mend.
 */
export class StatusLine {
  readonly #sink: TextSink;
  #shown = "";

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  /** Shows a line in place of the one that is there. */
  draw(text: string): void {
    if (text === this.#shown && this.#rows() === 1) return;
    const erase = this.#erase();
    this.#shown = text;
    this.#sink.write(`${erase}${wrapOff}${text}${wrapOn}`);
  }

  /** Writes a line that stays, above it. */
  above(text: string): void {
    const again = this.#shown === "" ? "" : `${wrapOff}${this.#shown}${wrapOn}`;
    this.#sink.write(`${this.#erase()}${text}\n${again}`);
  }

  /** Takes it away. */
  clear(): void {
    if (this.#shown === "") return;
    const erase = this.#erase();
    this.#shown = "";
    this.#sink.write(erase);
  }

  /** Rows that it takes: more than one after the window was made narrower than it, as terminals then break lines. */
  #rows(): number {
    return Math.max(1, Math.ceil(this.#shown.length / (this.#sink.columns || Infinity)));
  }

  #erase(): string {
    if (this.#shown === "") return "";
    const up = this.#rows() - 1;
    return `${up > 0 ? `\u001b[${up}A` : ""}${eraseBelow}`;
  }
}
