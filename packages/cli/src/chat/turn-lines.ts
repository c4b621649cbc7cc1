const quotes = '"""';

/** Puts lines together into turns: one that ends with a backslash goes on in the next, and lines between `"""` and `"""` are one turn. */
export class TurnLines {
  #lines: string[] = [];
  #isQuoted = false;

  /** True in the middle of a turn. */
  get isOpen(): boolean {
    return this.#lines.length > 0 || this.#isQuoted;
  }

  /** The turn that a line ends, or undefined where more is to come. */
  push(line: string): string | undefined {
    if (this.#isQuoted) return this.#pushQuoted(line);
    if (!this.isOpen && line.trimStart().startsWith(quotes)) {
      this.#isQuoted = true;
      const rest = line.trimStart().slice(quotes.length);
      return rest === "" ? undefined : this.#pushQuoted(rest);
    }
    return line.endsWith("\\") ? this.pushOpen(line.slice(0, -1)) : this.#whole(line);
  }

  /** Takes a line of a turn that is not at its end, whatever it ends with. */
  pushOpen(line: string): undefined {
    this.#lines.push(line);
  }

  /** What is there of a turn that nothing more comes of; undefined for nothing. */
  end(): string | undefined {
    return this.isOpen ? this.#whole() : undefined;
  }

  /** Forgets the lines of a turn that has not ended. */
  reset(): void {
    this.#lines = [];
    this.#isQuoted = false;
  }

  #pushQuoted(line: string): string | undefined {
    if (!line.trimEnd().endsWith(quotes)) return this.pushOpen(line);
    const last = line.trimEnd().slice(0, -quotes.length);
    return last === "" && this.#lines.length > 0 ? this.#whole() : this.#whole(last);
  }

  #whole(...last: string[]): string {
    const turn = [...this.#lines, ...last].join("\n");
    this.reset();
    return turn;
  }
}
