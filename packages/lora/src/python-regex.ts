import { excerpt, shorten } from "@kto/core";
import { LoraConfigError } from "./errors.js";
import { compileRegex, RegexTooLarge, type RegexNode } from "./regex-nodes.js";

/** `full`: Python's `re.fullmatch`. `pattern`: how peft matches a key of rank_pattern, `(.*\.)?(key)$` from the start. */
export type RegexUse = "full" | "pattern";

/** Tells whether module names match. */
export interface ModuleRegex {
  test(path: string): boolean;
}

/** Escapes that stand for themselves in JavaScript; Python rejects any other ASCII letter. */
const SETS = "dDsSwW";
const CONTROLS: Readonly<Record<string, string>> = { f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
const BACKREFERENCE = "a reference to a group";
const QUANTIFIER = /^(?:[*+?]|\{(\d*)(,?)(\d*)\})/;

/** An expression that lists every layer of a large model by its path is a tenth of it. */
const mostLetters = 65_536;
/** Groups in groups, that the reader may follow. */
const mostNested = 200;

/**
 * A Python regular expression (as peft's configs hold them), which matches the module names that it matches in Python, for letters of ASCII.
 *
 * What is not read (references to groups, conditional and atomic groups, possessive quantifiers, flags inside) throws LoraConfigError with the construct's
 * name and place, as does what Python does not read, and what is too large. It is matched in time proportional to its length, whatever it is.
 *
 * @param field  what the expression came from, for messages
 */
export function pythonRegex(expression: string, use: RegexUse, field: string): ModuleRegex {
  const refuse = (what: string, cause?: unknown): never => {
    throw new LoraConfigError(
      `${field}: ${excerpt(expression)} is not usable as a regular expression; ${what}; write a simpler one, or list module names`,
      {
        field,
        cause,
      },
    );
  };
  if (expression.length > mostLetters) refuse(`expected at most ${mostLetters} letters, got ${expression.length}`);
  const bounded = <T>(body: () => T): T => {
    try {
      return body();
    } catch (error) {
      if (error instanceof RegexTooLarge) return refuse(error.message, error);
      throw error;
    }
  };
  const body = new PatternReader(expression, field, use === "full").read();
  const matches = bounded(() => compileRegex(use === "full" ? body : { kind: "all", items: [anyPrefix, body] }));
  return { test: (path) => bounded(() => matches(path)) };
}

const anyCharacter: RegexNode = { kind: "one", accepts: (character) => character !== "\n" };
/** `(.*\.)?` */
const anyPrefix: RegexNode = {
  kind: "repeat",
  item: {
    kind: "all",
    items: [
      { kind: "repeat", item: anyCharacter, least: 0, most: Infinity },
      { kind: "one", accepts: (character) => character === "." },
    ],
  },
  least: 0,
  most: 1,
};

/** One pass over the expression, construct by construct. */
class PatternReader {
  #at = 0;
  #depth = 0;
  #ignoresCase = false;
  #isMultiline = false;
  #dotAcceptsAll = false;
  readonly #groupNames = new Set<string>();

  constructor(
    private readonly expression: string,
    private readonly field: string,
    private readonly allowsFlags: boolean,
  ) {}

  read(): RegexNode {
    const flags = /^\(\?([aimsux]+)\)/.exec(this.expression);
    if (flags !== null) this.#readFlags(flags);
    const node = this.#alternatives();
    if (this.#at < this.expression.length) this.#refuse(")", "a parenthesis that closes nothing");
    return node;
  }

  #readFlags(flags: RegExpExecArray): void {
    if (!this.allowsFlags) this.#refuse(flags[0], "flags, which must come first in the whole expression");
    for (const flag of flags[1]!) {
      if (flag === "x" || flag === "a") this.#refuse(flags[0], `the flag ${flag}`);
      if (flag === "i") this.#ignoresCase = true;
      if (flag === "m") this.#isMultiline = true;
      if (flag === "s") this.#dotAcceptsAll = true;
    }
    this.#at = flags[0].length;
  }

  /** Up to the end, or to the parenthesis that closes the group. */
  #alternatives(): RegexNode {
    const alternatives: RegexNode[] = [];
    do alternatives.push(this.#sequence());
    while (this.#takeIf("|"));
    return alternatives.length === 1 ? alternatives[0]! : { kind: "any", items: alternatives };
  }

  #sequence(): RegexNode {
    const items: RegexNode[] = [];
    while (this.#at < this.expression.length && !"|)".includes(this.#letter())) {
      const atom = this.#atom();
      const canRepeat = atom.kind !== "place";
      items.push(this.#repeated(atom, canRepeat));
    }
    return { kind: "all", items };
  }

  #repeated(item: RegexNode, canRepeat: boolean): RegexNode {
    const bounds = this.#quantifier();
    if (bounds === undefined) return item;
    if (!canRepeat) this.#refuse(bounds.text, "a quantifier with nothing to repeat");
    if (this.#takeIf("+")) this.#refuse(`${bounds.text}+`, "a possessive quantifier", this.#at - bounds.text.length - 1);
    this.#takeIf("?"); // lazy: the same texts match
    const { least, most } = bounds;
    if (least > most) this.#refuse(bounds.text, "a quantifier whose least is above its most");
    if (this.#quantifier() !== undefined) this.#refuse(bounds.text, "a quantifier of a quantifier");
    return { kind: "repeat", item, least, most };
  }

  /** A repeat count, or undefined where there is none: braces without one stand for themselves. */
  #quantifier(): { text: string; least: number; most: number } | undefined {
    const found = QUANTIFIER.exec(this.expression.slice(this.#at, this.#at + 40));
    if (found === null) return undefined;
    const [text, low, comma, high] = found;
    if (text[0] === "{" && low === "" && high === "" && comma === "") return undefined; // `{}`
    this.#at += text.length;
    if (text === "*") return { text, least: 0, most: Infinity };
    if (text === "+") return { text, least: 1, most: Infinity };
    if (text === "?") return { text, least: 0, most: 1 };
    const least = Number(low);
    return { text, least, most: comma === "" ? least : high === "" ? Infinity : Number(high) };
  }

  #atom(): RegexNode {
    const letter = this.#letter();
    if (letter === "\\") return this.#escape();
    if (letter === "[") return this.#characterClass();
    if (letter === "(") return this.#group();
    if ("*+?".includes(letter) || (letter === "{" && this.#isQuantifier())) this.#refuse(letter, "a quantifier with nothing to repeat");
    this.#at++;
    if (letter === ".") return this.#dotAcceptsAll ? { kind: "one", accepts: () => true } : anyCharacter;
    const isMultiline = this.#isMultiline;
    if (letter === "^") return { kind: "place", holds: (text, at) => at === 0 || (isMultiline && text[at - 1] === "\n") };
    if (letter === "$")
      return { kind: "place", holds: (text, at) => at === text.length || (text[at] === "\n" && (isMultiline || at === text.length - 1)) };
    return this.#literal(letter);
  }

  #isQuantifier(): boolean {
    const before = this.#at;
    const found = this.#quantifier() !== undefined;
    this.#at = before;
    return found;
  }

  #literal(letter: string): RegexNode {
    if (!this.#ignoresCase) return { kind: "one", accepts: (character) => character === letter };
    const folded = letter.toLowerCase();
    return { kind: "one", accepts: (character) => character.toLowerCase() === folded };
  }

  #escape(): RegexNode {
    const rest = this.expression.slice(this.#at, this.#at + 6);
    const letter = rest[1];
    if (letter === undefined) this.#refuse("\\", "a backslash at the end");
    const code = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(rest);
    if (code !== null) {
      this.#at += code[0].length;
      return this.#literal(String.fromCharCode(parseInt((code[1] ?? code[2])!, 16)));
    }
    if (letter === "0") this.#refuse("\\0", "an octal escape");
    if (/\d/.test(letter)) this.#refuse(`\\${letter}`, BACKREFERENCE);
    const isKnown = "AZbB".includes(letter) || SETS.includes(letter) || Object.hasOwn(CONTROLS, letter);
    if (/[a-zA-Z]/.test(letter) && !isKnown) this.#refuse(`\\${letter}`, "an escape that is not read");
    this.#at += 2;
    if (letter === "A") return { kind: "place", holds: (_text, at) => at === 0 };
    if (letter === "Z") return { kind: "place", holds: (text, at) => at === text.length };
    if (letter === "b" || letter === "B")
      return { kind: "place", holds: (text, at) => text !== "" && isBoundary(text, at) === (letter === "b") };
    if (SETS.includes(letter)) return { kind: "one", accepts: setOf(`[\\${letter}]`, "") };
    return this.#literal(CONTROLS[letter] ?? letter);
  }

  #characterClass(): RegexNode {
    const start = this.#at;
    let translated = /^\[\^?/.exec(this.expression.slice(start, start + 2))![0];
    let index = start + translated.length;
    for (let isFirst = true; ; isFirst = false) {
      const character = this.expression[index];
      if (character === undefined) this.#refuse("[", "a class without an end");
      if (character === "]" && !isFirst) break;
      if (character === "\\") {
        const letter = this.expression[index + 1] ?? "";
        if (/[a-zA-Z\d]/.test(letter) && !"bdDsSwWfnrtvxu".includes(letter)) this.#refuse(`\\${letter}`, "an escape that is not read");
        translated += `\\${letter}`;
        index += 2;
        continue;
      }
      translated += character === "]" ? "\\]" : character; // a leading ] is a member in Python
      index++;
    }
    this.#at = index + 1;
    try {
      return { kind: "one", accepts: setOf(`${translated}]`, this.#ignoresCase ? "i" : "") };
    } catch {
      return this.#refuse(shorten(`${translated}]`, 20), "a class with a bad range", start);
    }
  }

  #group(): RegexNode {
    const rest = this.expression.slice(this.#at, this.#at + 80);
    const opening = /^\((?:\?(?::|=|!|<=|<!|P<([A-Za-z_]\w*)>))?/.exec(rest)!;
    const [text, name] = opening;
    if (text === "(" && rest.startsWith("(?")) this.#refuseGroup(rest);
    if (name !== undefined && this.#groupNames.has(name)) this.#refuse(text, "a group name that is taken");
    if (name !== undefined) this.#groupNames.add(name);
    if (++this.#depth > mostNested) this.#refuse(text, `more than ${mostNested} groups in one another`);
    const start = this.#at;
    this.#at += text.length;
    const item = this.#alternatives();
    if (!this.#takeIf(")")) this.#refuse(text, "a group without an end", start);
    this.#depth--;
    const look = /^\(\?(<?)([=!])/.exec(text);
    return look === null ? { kind: "all", items: [item] } : { kind: "look", item, ahead: look[1] === "", negative: look[2] === "!" };
  }

  #refuseGroup(rest: string): never {
    if (rest.startsWith("(?P=")) this.#refuse("(?P=", BACKREFERENCE);
    if (rest.startsWith("(?>")) this.#refuse("(?>", "an atomic group");
    if (rest.startsWith("(?(")) this.#refuse("(?(", "a conditional group");
    if (rest.startsWith("(?#")) this.#refuse("(?#", "a comment");
    if (rest.startsWith("(?<")) this.#refuse("(?<", "JavaScript's named group, where Python has (?P<name>");
    return this.#refuse(rest.slice(0, 4), "flags inside the expression, or a group that Python lacks");
  }

  #letter(): string {
    return this.expression[this.#at]!;
  }

  #takeIf(letter: string): boolean {
    if (this.expression[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }

  #refuse(text: string, what: string, at = this.#at): never {
    throw new LoraConfigError(
      `${this.field}: ${excerpt(this.expression)} has ${what} (${text}) at ${at}; expected a Python regular expression without it; write it otherwise, or list module names`,
      { field: this.field },
    );
  }
}

/** A class of characters, which JavaScript reads as Python does. */
function setOf(text: string, flags: string): (character: string) => boolean {
  const expression = new RegExp(`^${text}$`, `${flags}s`);
  return (character) => expression.test(character);
}

function isBoundary(text: string, at: number): boolean {
  const isWord = (character: string | undefined): boolean => character !== undefined && /\w/.test(character);
  return isWord(text[at - 1]) !== isWord(text[at]);
}
