import type { PlacedToken } from "./library.js";
import type { Mark, Marks } from "./marks.js";
import { expectDepth } from "./nesting.js";
import { syntaxError } from "./python-error.js";

/** A bracket that is open, and what its `items` mark will say. */
interface Bracket {
  type: "group" | "call" | "list" | "dict" | "subscript" | "part";
  opener: PlacedToken;
  items: Mark & { type: "items" };
  isEmpty: boolean;
  colons: number;
  /** An `if` is read whose `else` may still come. */
  awaitsElse: boolean;
  /** How many had one: each stands inside the one before. */
  branches: number;
}

/** After these words and signs an expression starts anew, so that `not` there is the operator. */
const BEFORE_NOT: ReadonlySet<string> = new Set(["(", "[", "{", ",", ":", "=", "and", "or", "not", "if", "else"]);
const ENDS_TEST: ReadonlySet<string> = new Set(["else", "or", "and"]);

/**
 * Writes the tokens of an expression so that the library's parser cannot read them otherwise than Jinja2 does, or so that
 * it shows: names become marks, `(…)` around an expression a call of a `group` mark, `is name` a filter (which binds as
 * Jinja2's tests do), and every bracket starts with the number of its items, since the parser goes on without commas.
 * `afterOperand` says that the tokens go on behind an operand. Throws `TemplateSyntaxError`.
 */
export function shape(tokens: readonly PlacedToken[], marks: Marks, afterOperand = false): PlacedToken[] {
  const shaper = new Shaper(marks, afterOperand);
  shaper.readAll(tokens);
  return shaper.out;
}

/** Round brackets around tokens; `end` names what closes them in messages, `last` is its line. */
export function bracketed(tokens: readonly PlacedToken[], line: number, end: string, last: number = line): PlacedToken[] {
  return [{ type: "OpenParen", value: "(", line, shown: end }, ...tokens, { type: "CloseParen", value: ")", line: last, shown: end }];
}

class Shaper {
  readonly out: PlacedToken[] = [];
  private readonly open: Bracket[] = [];
  private previous = "(";
  /** Signs and `not` before the operand that is to come. */
  private signs = 0;

  constructor(
    private readonly marks: Marks,
    private afterOperand: boolean,
  ) {}

  readAll(tokens: readonly PlacedToken[]): void {
    for (let index = 0; index < tokens.length;) index = this.read(tokens, index);
  }

  /** Reads the token at an index, and those that belong to it; returns the index after them. */
  private read(tokens: readonly PlacedToken[], index: number): number {
    const token = tokens[index]!;
    const bracket = this.open.at(-1);
    const closes = token.type === "CloseParen" || token.type === "CloseSquareBracket" || token.type === "CloseCurlyBracket";
    if (bracket?.type === "subscript" && token.type !== "Colon" && !closes) {
      this.emitMark({ type: "group", shown: "[", line: token.line }, token);
      this.begin("part", { ...token, type: "OpenParen", value: "(" }).isEmpty = false;
    } else if (bracket?.type === "part" && (token.type === "Colon" || token.type === "CloseSquareBracket")) {
      this.end({ ...token, type: "CloseParen", value: ")" });
    } else if (bracket && token.type !== "Comma" && !closes) bracket.isEmpty = false;

    if (this.previous === "|" && token.type !== "Identifier") syntaxError(`expected token 'name', got '${token.shown}'`, token.line);
    if (this.previous === "filter" && (token.type === "OpenSquareBracket" || token.type === "Dot")) this.refuse(token);
    if (closes) this.end(token);
    else if (token.type === "Identifier") return this.readWord(tokens, index);
    else if (token.type === "OpenParen") {
      if (!this.afterOperand) this.emitMark({ type: "group", shown: token.shown, line: token.line }, token);
      this.begin(this.afterOperand ? "call" : "group", token);
    } else if (token.type === "OpenSquareBracket") this.begin(this.afterOperand ? "subscript" : "list", token);
    else if (token.type === "OpenCurlyBracket") {
      if (this.afterOperand) this.refuse(token);
      this.begin("dict", token);
    } else this.readOperator(token);
    this.previous = token.value;
    if (this.afterOperand) this.signs = 0;
    return index + 1;
  }

  private readOperator(token: PlacedToken): void {
    const bracket = this.open.at(-1);
    if (token.type === "Comma" && bracket) {
      bracket.items.count++;
      bracket.awaitsElse = false;
      bracket.branches = 0;
    }
    if (token.type === "Colon" && bracket) bracket.awaitsElse = false;
    const isSign = token.value === "-" || token.value === "+";
    if (!this.afterOperand && !isSign && !this.mayOpen(token)) syntaxError(`unexpected '${token.shown}'`, token.line);
    if (token.type === "Equals" && bracket?.type !== "call") this.refuse(token);
    if (token.type === "Colon" && (bracket?.type === "subscript" ? ++bracket.colons > 2 : bracket?.type !== "dict")) this.refuse(token);
    if (!this.afterOperand && isSign) expectDepth("signs", ++this.signs, token.line);
    this.emit(isSign ? { ...token, type: this.afterOperand ? "AdditiveBinaryOperator" : "UnaryOperator" } : token);
    this.afterOperand = false;
  }

  /** Whether a sign may stand before an operand: those of slices and unpacked arguments. */
  private mayOpen({ type, value }: PlacedToken): boolean {
    const bracket = this.open.at(-1)?.type;
    if (type === "Colon") return bracket === "subscript";
    return (value === "*" || value === "**") && bracket === "call" && (this.previous === "(" || this.previous === ",");
  }

  private readWord(tokens: readonly PlacedToken[], index: number): number {
    const token = tokens[index]!;
    const { value, line } = token;
    if (this.afterOperand) {
      if (value === "is") return this.readTest(tokens, index);
      if (value === "not" && tokens[index + 1]?.value === "in") {
        this.emit(token);
        this.emit(tokens[index + 1]!);
        this.afterOperand = false;
        this.previous = "in";
        return index + 2;
      }
      if (!["and", "or", "in", "if", "else"].includes(value)) this.refuse(token);
      if (value === "if" || value === "else") this.readCondition(token);
      this.emit(token);
      this.afterOperand = false;
    } else if (value === "not" && BEFORE_NOT.has(this.previous)) {
      expectDepth("signs", ++this.signs, line);
      this.emit(token);
    } else {
      const mark = this.marks.at(value);
      if (this.previous === "|" && mark?.type === "constant") syntaxError(`expected token 'name', got '${token.shown}'`, line);
      if (mark) this.emit(token);
      else this.emitMark({ type: "name", name: value, shown: value, line }, token);
      this.afterOperand = true;
    }
    this.previous = !this.afterOperand ? value : this.previous === "|" ? "filter" : "name";
    if (this.afterOperand) this.signs = 0;
    return index + 1;
  }

  /** The library reads only one `if` without `else`, and takes an `else` without `if` for a name. */
  private readCondition(token: PlacedToken): void {
    const bracket = this.open.at(-1);
    if (!bracket) return;
    const isElse = token.value === "else";
    if (isElse && !bracket.awaitsElse) this.refuse(token);
    if (!isElse && bracket.awaitsElse)
      syntaxError("an 'if' behind another without 'else' is not supported; put brackets around the first", token.line);
    bracket.awaitsElse = !isElse;
    if (isElse) expectDepth("branches", ++bracket.branches, token.line);
  }

  /** `is [not] name`, with its arguments in brackets or its one argument without. */
  private readTest(tokens: readonly PlacedToken[], index: number): number {
    const negated = tokens[index + 1]?.value === "not";
    let next = index + (negated ? 2 : 1);
    const word = tokens[next];
    const mark = word && this.marks.at(word.value);
    if (word?.type !== "Identifier" || mark?.type === "constant")
      syntaxError(`expected token 'name', got '${(word ?? tokens[index]!).shown}'`, (word ?? tokens[index]!).line);
    this.emit({ ...word, type: "Pipe", value: "|" });
    const name = mark?.type === "name" ? mark.name : word.value;
    this.emitMark({ type: "test", name, negated, shown: word.shown, line: word.line }, word);
    this.afterOperand = true;
    this.previous = "name";
    const argument = tokens[++next];
    if (argument?.type === "OpenSquareBracket" || argument?.type === "OpenCurlyBracket" || argument?.type === "Identifier") {
      if (argument.value === "is") syntaxError("You cannot chain multiple tests with is", word.line);
      if (ENDS_TEST.has(argument.value)) return next;
      const end = operandEnd(tokens, next);
      this.readAll(bracketed(tokens.slice(next, end), argument.line, ")"));
      return end;
    }
    return next;
  }

  private begin(type: Bracket["type"], opener: PlacedToken): Bracket {
    const items: Bracket["items"] = { type: "items", count: 0, trailing: false, shown: opener.shown, line: opener.line };
    const bracket: Bracket = { type, opener, items, isEmpty: true, colons: 0, awaitsElse: false, branches: 0 };
    this.open.push(bracket);
    this.emit(opener);
    if (type !== "subscript") {
      this.emitMark(items, opener);
      if (type === "dict") {
        this.emit({ ...opener, type: "Colon", value: ":" });
        this.emitMark(items, opener);
      }
      this.emit({ ...opener, type: "Comma", value: "," });
    }
    this.afterOperand = false;
    this.previous = "(";
    return bracket;
  }

  private end(closer: PlacedToken): void {
    const bracket = this.open.pop();
    if (bracket) {
      bracket.items.trailing = this.previous === "," && !bracket.isEmpty;
      if (!bracket.isEmpty && !bracket.items.trailing) bracket.items.count++;
      if (bracket.type === "part" && bracket.items.trailing) syntaxError(`unexpected '${closer.shown}'`, closer.line);
    }
    this.emit(closer);
    this.afterOperand = true;
  }

  private emit(token: PlacedToken): void {
    this.out.push(token);
  }

  private emitMark(mark: Mark, { line, shown }: PlacedToken): void {
    this.out.push({ type: "Identifier", value: this.marks.add(mark), line, shown });
  }

  /** Refuses a token that cannot follow an operand. */
  private refuse(token: PlacedToken): never {
    const bracket = this.open.at(-1);
    const inside = bracket?.type === "group" && bracket.opener.shown !== "(" ? bracket.opener.shown : bracket?.type === "group" ? ")" : ",";
    return syntaxError(`expected token '${bracket ? inside : "end of statement block"}', got '${token.shown}'`, token.line);
  }
}

/** The index after an operand that starts at `start`: a word or bracket, and the attributes, items and calls behind it. */
function operandEnd(tokens: readonly PlacedToken[], start: number): number {
  let end = tokens[start]!.type === "Identifier" ? start + 1 : bracketEnd(tokens, start);
  for (;;) {
    const type = tokens[end]?.type;
    if (type === "Dot") end += 2;
    else if (type === "OpenSquareBracket" || type === "OpenParen") end = bracketEnd(tokens, end);
    else return Math.min(end, tokens.length);
  }
}

/** The index after the bracket that closes the one at `start`. */
export function bracketEnd(tokens: readonly PlacedToken[], start: number): number {
  let depth = 0;
  for (let index = start; index < tokens.length; index++) {
    if (tokens[index]!.type.startsWith("Open")) depth++;
    else if (tokens[index]!.type.startsWith("Close") && --depth === 0) return index + 1;
  }
  return tokens.length;
}
