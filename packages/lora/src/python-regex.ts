import { LoraConfigError } from "./errors.js";

/** `full`: Python's `re.fullmatch`. `pattern`: how peft matches a key of rank_pattern, `(.*\.)?(key)$` from the start. */
export type RegexUse = "full" | "pattern";

/**
 * A Python regular expression (as peft's configs hold them) as a JavaScript one that matches the same module names.
 *
 * Rewritten: `(?P<name>…)`, `\A`, `\Z`, `{,n}`, a leading `]` in a class, flags `(?ims)` in front.
 * What one language has and the other lacks, or reads differently, throws LoraConfigError with the construct's name and place.
 *
 * @param field  what the expression came from, for messages
 */
export function pythonRegex(expression: string, use: RegexUse, field: string): RegExp {
  const reader = new PatternReader(expression, field, use === "full");
  const body = reader.translate();
  const source = use === "full" ? `^(?:${body})$` : `^(.*\\.)?(${body})$`;
  try {
    return new RegExp(source, reader.flags);
  } catch (cause) {
    throw new LoraConfigError(
      `${field}: "${expression}" is not a regular expression; ${cause instanceof Error ? cause.message : String(cause)}`,
      { field, cause },
    );
  }
}

/** Escapes with one meaning in both languages; Python rejects any other ASCII letter. */
const SHARED_ESCAPES = "bBdDsSwWfnrtv";
/** JavaScript matches the empty text where the group took no part, Python nothing. */
const BACKREFERENCE = "a reference to a group";
const QUANTIFIER = /^(?:[*+?]|\{(\d*)(,?)(\d*)\})/;

/** One pass over the expression, construct by construct. */
class PatternReader {
  flags = "";
  #at = 0;
  #canRepeat = false;

  constructor(
    private readonly expression: string,
    private readonly field: string,
    private readonly allowsFlags: boolean,
  ) {}

  translate(): string {
    let translated = "";
    const flags = /^\(\?([aimsux]+)\)/.exec(this.expression);
    if (flags !== null) this.#readFlags(flags);
    while (this.#at < this.expression.length) translated += this.#next();
    return translated;
  }

  #readFlags(flags: RegExpExecArray): void {
    if (!this.allowsFlags) this.#refuse(flags[0], "flags, which must come first in the whole expression");
    for (const flag of flags[1]!) {
      if (flag === "x" || flag === "a") this.#refuse(flags[0], `the flag ${flag}`);
      if (flag !== "u" && !this.flags.includes(flag)) this.flags += flag; // u is how Python reads text anyway
    }
    this.#at = flags[0].length;
  }

  #next(): string {
    const rest = this.expression.slice(this.#at);
    const quantifier = QUANTIFIER.exec(rest);
    if (quantifier !== null && this.#canRepeat) {
      const text = this.#quantifier(quantifier);
      if (text !== undefined) return text;
    }
    const first = rest[0]!;
    if (first === "\\") return this.#escape(rest);
    if (first === "[") return this.#characterClass();
    if (first === "(") return this.#group(rest);
    this.#at++;
    this.#canRepeat = first !== "|" && first !== "^";
    return first === "{" || first === "}" || first === "]" ? `\\${first}` : first;
  }

  /** A repeat count, or undefined where the braces hold none and stand for themselves. */
  #quantifier([text, low, comma, high]: RegExpExecArray): string | undefined {
    if (text[0] === "{" && low === "" && high === "" && comma === "") return undefined; // `{}`
    const after = this.expression[this.#at + text.length];
    if (after === "+") this.#refuse(`${text}+`, "a possessive quantifier");
    this.#at += text.length;
    this.#canRepeat = false;
    let translated = text[0] === "{" && low === "" ? `{0,${high}}` : text;
    if (after === "?") {
      this.#at++;
      translated += "?";
    }
    return translated;
  }

  #escape(rest: string): string {
    const letter = rest[1];
    if (letter === undefined) this.#refuse("\\", "a backslash at the end");
    this.#canRepeat = true;
    if (letter === "A" || letter === "Z") {
      this.#at += 2;
      return letter === "A" ? "(?<![^])" : "(?![^])"; // start and end of the text, with the flag m too
    }
    const code = /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(rest);
    if (code !== null) {
      this.#at += code[0].length;
      return code[0];
    }
    if (letter === "0") this.#refuse("\\0", "an octal escape");
    if (/\d/.test(letter)) this.#refuse(`\\${letter}`, BACKREFERENCE);
    if (/[a-zA-Z]/.test(letter) && !SHARED_ESCAPES.includes(letter)) this.#refuse(`\\${letter}`, "an escape that JavaScript lacks");
    this.#at += 2;
    return `\\${letter}`;
  }

  #characterClass(): string {
    const opening = /^\[\^?/.exec(this.expression.slice(this.#at))![0];
    let translated = opening;
    let index = this.#at + opening.length;
    for (let isFirst = true; ; isFirst = false) {
      const character = this.expression[index];
      if (character === undefined) this.#refuse("[", "a class without an end");
      if (character === "]" && !isFirst) break;
      if (character === "\\") {
        const letter = this.expression[index + 1] ?? "";
        if (/[a-zA-Z]/.test(letter) && !"bdDsSwWfnrtvxu".includes(letter)) this.#refuse(`\\${letter}`, "an escape that JavaScript lacks");
        translated += `\\${letter}`;
        index += 2;
        continue;
      }
      translated += character === "]" ? "\\]" : character; // a leading ] is a member in Python
      index++;
    }
    this.#at = index + 1;
    this.#canRepeat = true;
    return `${translated}]`;
  }

  #group(rest: string): string {
    this.#canRepeat = false;
    const shared = /^\((?:\?:|\?=|\?!|\?<=|\?<!)/.exec(rest);
    if (shared !== null) return this.#take(shared[0]);
    if (!rest.startsWith("(?")) return this.#take("(");
    const named = /^\(\?P<([A-Za-z_]\w*)>/.exec(rest);
    if (named !== null) {
      this.#at += named[0].length;
      return `(?<${named[1]!}>`;
    }
    if (rest.startsWith("(?P=")) this.#refuse("(?P=", BACKREFERENCE);
    if (rest.startsWith("(?>")) this.#refuse("(?>", "an atomic group");
    if (rest.startsWith("(?(")) this.#refuse("(?(", "a conditional group");
    if (rest.startsWith("(?#")) this.#refuse("(?#", "a comment");
    if (rest.startsWith("(?<")) this.#refuse("(?<", "JavaScript's named group, where Python has (?P<name>");
    return this.#refuse(rest.slice(0, 4), "flags inside the expression, or a group that Python lacks");
  }

  #take(text: string): string {
    this.#at += text.length;
    return text;
  }

  #refuse(text: string, what: string): never {
    throw new LoraConfigError(
      `${this.field}: "${this.expression}" has ${what} (${text}) at ${this.#at}; expected a Python regular expression of constructs that JavaScript shares; write it without, or list module names`,
      { field: this.field },
    );
  }
}
