import { FormatError } from "../errors.js";
import { shorten } from "../excerpt.js";
import { Float } from "./float.js";
import { MembersInOrder, movesKey } from "./members-in-order.js";

/**
 * How deep lists and objects may lie in each other. Python's own reader stops near 1,000 levels and Arrow, which trl's rows pass through, at 64; with 500
 * no function of these packages that walks a value comes near the end of its stack.
 */
const maxDepth = 500;

/**
 * How many values one text may hold. An empty list of two letters takes sixty bytes once it is read: the bound keeps what a text of any size becomes
 * below 200 MB beside its own letters. The longest row of token ids is well below it.
 */
const maxValues = 2 ** 21;

/** Digits of an integer: the bound that Python has, for making a number of them takes longer than in proportion. */
const maxDigits = 4300;

/** So many digits are exact as a number, and so are the powers of ten up to 10^22. */
const exactDigits = 15;
const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, power) => Number(`1e${power}`));

/** Letters of the text that an error shows, from the one that is wrong. */
const shownLetters = 40;

/** Where a text comes from, for messages. */
export interface JsonPlace {
  /** Who reads it; default `parseJson`. */
  operation?: string | undefined;
  /** File, path or URL. */
  source?: string | undefined;
  /** Line of the source that the text begins on, and its column there; both are counted from 1. */
  line?: number | undefined;
  column?: number | undefined;
  /** What to do about a text that is no JSON; default "mend it". */
  advice?: string | undefined;
}

/**
 * The value of a JSON text, with all that JavaScript's own `JSON.parse` loses: a float that is whole is a {@link Float} (`25.0`), an integer past 2^53 a
 * bigint, and an object whose keys JavaScript would put into another order, or that has a key `__proto__`, a `Map`. `-0` is the integer 0, as in Python.
 * Of a repeated key the last value stands, at the place of the first.
 *
 * Takes the JSON of RFC 8259 and the three words that Python writes besides: `NaN`, `Infinity`, `-Infinity`.
 *
 * @throws FormatError with line and column for anything else, for lists and objects more than 500 deep, and for more than 2^21 values
 */
export function parseJson(text: string, place: JsonPlace = {}): unknown {
  const reader = new JsonReader(text, place);
  const value = reader.value();
  reader.expectEnd();
  return value;
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** Reads the values of a text one after another. */
export class JsonReader {
  readonly #text: string;
  readonly #place: JsonPlace;
  #at = 0;
  #depth = 0;
  #values = 0;

  constructor(text: string, place: JsonPlace = {}) {
    this.#text = text;
    this.#place = place;
  }

  /** The next value. */
  value(): unknown {
    this.#skipSpace();
    if (++this.#values > maxValues) throw this.#error("holds too many values", `at most ${maxValues} in one text`, "more");
    const code = this.#text.charCodeAt(this.#at);
    if (code === 0x22) return this.#string();
    if (code === 0x7b) return this.#object();
    if (code === 0x5b) return this.#array();
    if (code === 0x2d || isDigit(code)) return this.#number();
    return this.#word();
  }

  /** How many letters have been read. */
  get position(): number {
    return this.#at;
  }

  /** The value that begins at `position`, whatever was read before; values and levels are counted anew. */
  valueAt(position: number): unknown {
    this.#at = position;
    this.#depth = 0;
    this.#values = 0;
    return this.value();
  }

  /** True when nothing but white space is left. */
  isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at >= this.#text.length;
  }

  /** Throws FormatError unless nothing but white space is left. */
  expectEnd(): void {
    if (!this.isAtEnd()) throw this.#expected("the end of the text");
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #object(): unknown {
    this.#enter();
    const fields: Record<string, unknown> = {};
    let members: MembersInOrder | undefined; // only for keys that JavaScript may put elsewhere
    if (!this.#takes(0x7d)) {
      do {
        this.#skipSpace();
        if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#expected("a key in double quotes");
        const key = this.#string();
        if (!this.#takes(0x3a)) throw this.#expected('":"');
        if (members === undefined && movesKey(key)) members = new MembersInOrder(fields);
        if (members === undefined) fields[key] = this.value();
        else members.set(key, this.value());
      } while (this.#takes(0x2c));
      if (!this.#takes(0x7d)) throw this.#expected('"," or "}"');
    }
    this.#depth--;
    return members === undefined ? fields : members.value;
  }

  #array(): unknown[] {
    this.#enter();
    const items: unknown[] = [];
    if (!this.#takes(0x5d)) {
      do items.push(this.value());
      while (this.#takes(0x2c));
      if (!this.#takes(0x5d)) throw this.#expected('"," or "]"');
    }
    this.#depth--;
    return items;
  }

  #enter(): void {
    if (++this.#depth > maxDepth) throw this.#error("nests too deeply", `at most ${maxDepth} levels`, "more");
    this.#at++;
  }

  /** Passes over white space and, if it comes next, this character. */
  #takes(code: number): boolean {
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let isPlain = true;
    let at = start;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) break;
      if (code === 0x5c) {
        isPlain = false;
        at++;
      } else if (!(code >= 0x20)) {
        this.#at = at;
        throw at < text.length
          ? this.#expected("control characters in a text as escapes, such as \\n")
          : this.#expected("a closing double quote");
      }
    }
    this.#at = at + 1;
    return isPlain ? text.slice(start, at) : this.#unescaped(start, at);
  }

  /** A text with escapes: their rules are those of the language. */
  #unescaped(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start - 1, end + 1)) as string;
    } catch {
      this.#at = start + /^(?:[^\\]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/.exec(this.#text.slice(start, end))![0].length;
      throw this.#expected("an escape that JSON has");
    }
  }

  #number(): unknown {
    const text = this.#text;
    const start = this.#at;
    const isNegative = text.charCodeAt(start) === 0x2d;
    const first = isNegative ? start + 1 : start;
    if (isNegative && text.charCodeAt(first) === 0x49) return this.#word();
    let digits = 0; // the number without its point, exact while there are no more than 15
    let at = first;
    let code = text.charCodeAt(at);
    for (; isDigit(code); code = text.charCodeAt(++at)) digits = digits * 10 + (code - 0x30);
    const isWrong = at === first || (text.charCodeAt(first) === 0x30 && at > first + 1);
    if (isWrong) throw this.#expected("a number as JSON has it");
    if (code !== 0x2e && code !== 0x65 && code !== 0x45) {
      if (at - first <= exactDigits) {
        this.#at = at;
        return isNegative && digits !== 0 ? -digits : digits;
      }
      if (at - first > maxDigits) throw this.#error("holds too long an integer", `at most ${maxDigits} digits`, String(at - first));
      this.#at = at;
      return integerOf(text.slice(start, at));
    }
    let decimals = 0;
    if (code === 0x2e) {
      const point = at;
      code = text.charCodeAt(++at);
      for (; isDigit(code); code = text.charCodeAt(++at)) digits = digits * 10 + (code - 0x30);
      decimals = at - point - 1;
      if (decimals === 0) throw this.#expected("a number as JSON has it");
    }
    const hasExponent = code === 0x65 || code === 0x45;
    if (hasExponent) at = this.#endOfExponent(at + 1);
    this.#at = at;
    const isExact = !hasExponent && at - first <= exactDigits + 1; // both are exact, so that the quotient is the nearest number
    const size = isExact ? digits / powersOfTen[decimals]! : Number(text.slice(first, at));
    const value = isNegative ? -size : size;
    return Number.isInteger(value) ? new Float(value) : value;
  }

  /** Where the digits of an exponent end; there must be one. */
  #endOfExponent(start: number): number {
    const sign = this.#text.charCodeAt(start);
    const first = sign === 0x2b || sign === 0x2d ? start + 1 : start;
    let at = first;
    while (isDigit(this.#text.charCodeAt(at))) at++;
    if (at > first) return at;
    throw this.#expected("a number as JSON has it");
  }

  #word(): unknown {
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    throw this.#expected("a value");
  }

  #expected(expected: string): FormatError {
    return this.#error(
      "is not JSON",
      expected,
      this.#at < this.#text.length ? shorten(this.#text.slice(this.#at), shownLetters) : "the end of the text",
    );
  }

  #error(problem: string, expected: string, got: string): FormatError {
    const { operation = "parseJson", source, line: firstLine = 1, column: firstColumn = 1, advice = "mend it" } = this.#place;
    const before = this.#text.slice(0, this.#at).split("\n");
    const line = firstLine + before.length - 1;
    const column = before.at(-1)!.length + (before.length === 1 ? firstColumn : 1);
    return new FormatError(
      {
        operation,
        problem: `line ${line}${source === undefined ? "" : ` of ${source}`} ${problem}`,
        expected: `${expected} at column ${column}`,
        got,
        advice,
      },
      { line, ...(source === undefined ? {} : { source }) },
    );
  }
}

const words = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

/** An integer as a number where that is exact, else as a bigint. */
function integerOf(digits: string): number | bigint {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value + 0 : BigInt(digits);
}
