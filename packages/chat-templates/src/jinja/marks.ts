import type { Value } from "./values.js";

/**
 * What a word in the code stands for. The library's parser sees the word alone, so it cannot take a name for a keyword,
 * lose digits of a number or a bracket around an expression.
 *
 * `shown` and `line` are what the template has there, and where.
 *
 * - `constant`, `name`: as the template has it
 * - `test`: called with the arguments after `is name`
 * - `group`: called with what stands between round brackets, or alone in a tag
 * - `items`: first thing in every bracket: how many items the commas part, and whether a comma ends them
 * - `slot`: called with what stands in for something the library has no tag for
 */
export type Mark = { shown: string; line: number } & (
  | { type: "constant"; value: Value }
  | { type: "name"; name: string }
  | { type: "test"; name: string; negated: boolean }
  | { type: "group" }
  | { type: "items"; count: number; trailing: boolean }
  | { type: "slot"; name: "call" | "with" | "generation" | "filter" | "for"; recursive: boolean }
);

/** Words that stand for marks, as the library's lexer reads words. Names of this shape in a template become marks themselves. */
export const MARK_WORD: RegExp = /^_\d+$/;

/** The marks of one template. */
export class Marks {
  private readonly marks: Mark[] = [];

  /** Keeps a mark; returns its word. */
  add(mark: Mark): string {
    this.marks.push(mark);
    return `_${this.marks.length - 1}`;
  }

  /** The mark of a word, or undefined for any other word. */
  at(word: string): Mark | undefined {
    return MARK_WORD.test(word) ? this.marks[Number(word.slice(1))] : undefined;
  }
}
