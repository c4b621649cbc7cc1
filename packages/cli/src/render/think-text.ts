const tags = { open: "<think>", close: "</think>" } as const;

/** Text that comes in pieces, with what stands between `<think>` and `</think>`, and these, in another style. A piece that may be the beginning of a tag waits for the next. */
export class ThinkText {
  readonly #style: (text: string) => string;
  #isThinking: boolean;
  #held = "";

  constructor(style: (text: string) => string, { isThinking = false }: { isThinking?: boolean } = {}) {
    this.#style = style;
    this.#isThinking = isThinking;
  }

  push(piece: string): string {
    let text = this.#held + piece;
    let shown = "";
    for (;;) {
      const tag = this.#isThinking ? tags.close : tags.open;
      const at = text.indexOf(tag);
      if (at < 0) break;
      shown += this.#isThinking ? this.#styled(text.slice(0, at + tag.length)) : text.slice(0, at) + this.#style(tag);
      text = text.slice(at + tag.length);
      this.#isThinking = !this.#isThinking;
    }
    const rest = text.slice(0, text.length - heldLength(text, this.#isThinking ? tags.close : tags.open));
    this.#held = text.slice(rest.length);
    return shown + (this.#isThinking ? this.#styled(rest) : rest);
  }

  /** What was held back, when nothing more comes. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return this.#isThinking ? this.#styled(held) : held;
  }

  #styled(text: string): string {
    return text === "" ? "" : this.#style(text);
  }
}

/** Letters at the end of a text with which a tag begins. */
function heldLength(text: string, tag: string): number {
  for (let length = Math.min(text.length, tag.length - 1); length > 0; length--) if (text.endsWith(tag.slice(0, length))) return length;
  return 0;
}
