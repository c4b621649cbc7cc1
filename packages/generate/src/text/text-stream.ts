/** Turns ids into text. */
export interface Decoder {
  decode(ids: number[], options?: { skipSpecialTokens?: boolean }): string;
}

/** What a broken character decodes to. */
const replacement = "\ufffd";

/** Ids of which a character may be a part: past these a replacement character is what the model means. */
const longestCharacter = 8;

/**
 * Text of ids that come one at a time, as decoding all of them together gives it: characters of several tokens appear when they are whole, and tokens that
 * begin words keep their spaces.
 */
export class TextStream {
  readonly #decoder: Decoder;
  readonly #skipSpecialTokens: boolean;
  #ids: number[] = [];
  /** Ids before it are only decoded to know how those after it begin. */
  #shown = 0;
  #context = 0;

  constructor(decoder: Decoder, { skipSpecialTokens = true }: { skipSpecialTokens?: boolean | undefined } = {}) {
    this.#decoder = decoder;
    this.#skipSpecialTokens = skipSpecialTokens;
  }

  /** The text that an id adds, which may be none yet. */
  push(id: number): string {
    this.#ids.push(id);
    return this.#next(false);
  }

  /** The rest, with what stays broken as U+FFFD. */
  end(): string {
    return this.#next(true);
  }

  #next(isEnd: boolean): string {
    const before = this.#decode(this.#context, this.#shown);
    const now = this.#decode(this.#context, this.#ids.length);
    const isBroken = now.endsWith(replacement) && this.#ids.length - this.#shown < longestCharacter;
    if (now.length <= before.length || (isBroken && !isEnd)) return "";
    this.#context = this.#shown;
    this.#shown = this.#ids.length;
    if (this.#context > 64) this.#forget();
    return now.slice(before.length);
  }

  #decode(start: number, end: number): string {
    return this.#decoder.decode(this.#ids.slice(start, end), { skipSpecialTokens: this.#skipSpecialTokens });
  }

  #forget(): void {
    this.#ids = this.#ids.slice(this.#context);
    this.#shown -= this.#context;
    this.#context = 0;
  }
}
