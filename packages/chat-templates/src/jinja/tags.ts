import { type PlacedToken, readTokens } from "./library.js";
import type { Mark, Marks } from "./marks.js";
import { expectDepth } from "./nesting.js";
import { syntaxError } from "./python-error.js";
import { cutTemplate, type Segment } from "./segments.js";
import { bracketed, bracketEnd, shape } from "./shape.js";

/** Tags of Jinja that read other templates; a chat template stands alone, and transformers refuses them too. */
const NEEDS_LOADER: ReadonlySet<string> = new Set(["extends", "include", "import", "from", "block"]);
/** What the library's parser is given in place of closing tags it does not know. */
const ENDS: Readonly<Record<string, string>> = { endfilter: "endset", endwith: "endcall", endgeneration: "endcall" };
const NEEDS_OPERAND: ReadonlySet<string> = new Set(["in", "if", "is", "not", "and", "or", "else"]);
const BLOCK_END = "end of statement block";

/** A tag whose end is still to come, and the tags that may come next. */
interface OpenTag {
  name: string;
  awaited: string[];
  /** Of an `if`, each inside the one before it in the library's tree. */
  branches: number;
}

/**
 * The tokens of a template for the library's parser: each statement behind a comment that holds its line, expressions in
 * the form `shape` gives them, and tags that the library does not know as calls of `slot` marks. Checks how tags nest.
 * Throws `TemplateSyntaxError`.
 */
export function templateTokens(template: string, marks: Marks): PlacedToken[] {
  const open: OpenTag[] = [];
  const tokens: PlacedToken[] = [];
  for (const segment of cutTemplate(template, marks)) {
    const { type, text, line } = segment;
    tokens.push({ type: "Comment", value: String(line), line, shown: text });
    const code = type === "text" ? [] : type === "expression" ? printTokens(segment, marks) : new Tag(segment, marks, open).tokens();
    if (type === "text") tokens.push({ type: "Text", value: text, line, shown: "template data / text" });
    for (const token of code) tokens.push(token);
  }
  if (open.length > 0) failAtTag(null, open, tokens.at(-1)?.line ?? 1);
  return tokens;
}

function printTokens({ text, line }: Segment, marks: Marks): PlacedToken[] {
  const end = "end of print statement";
  const last = lastLine(text, line);
  const code = shape(bracketed(readTokens(text, line, marks), line, end, last), marks);
  return [
    { type: "OpenExpression", value: "{{", line, shown: "begin of print statement" },
    ...code,
    { type: "CloseExpression", value: "}}", line: last, shown: end },
  ];
}

class Tag {
  private readonly line: number;
  private readonly last: number;
  private readonly name: string;
  private readonly code: PlacedToken[];

  constructor(
    segment: Segment,
    private readonly marks: Marks,
    private readonly open: OpenTag[],
  ) {
    const [first, ...code] = readTokens(segment.text, segment.line, marks);
    if (first?.type !== "Identifier" || marks.at(first.value)?.type === "constant")
      syntaxError(`expected token 'name', got '${first?.shown ?? BLOCK_END}'`, segment.line);
    this.line = segment.line;
    this.last = lastLine(segment.text, segment.line);
    this.name = first.shown;
    this.code = code;
  }

  tokens(): PlacedToken[] {
    this.nest();
    return [
      { type: "OpenStatement", value: "{%", line: this.line, shown: "begin of statement block" },
      ...this.inside(),
      { type: "CloseStatement", value: "%}", line: this.last, shown: BLOCK_END },
    ];
  }

  /** Opens, continues or closes a block. */
  private nest(): void {
    const { name, open, line } = this;
    const top = open.at(-1);
    if (top?.awaited.includes(name)) {
      if (name === "else") top.awaited = [`end${top.name}`];
      else if (name === "elif") expectDepth("branches", ++top.branches, line);
      else open.pop();
      return;
    }
    expectDepth("blocks", open.length + 1, line);
    switch (name) {
      case "if":
        open.push({ name, awaited: ["elif", "else", "endif"], branches: 1 });
        return;
      case "for":
        open.push({ name, awaited: ["endfor", "else"], branches: 1 });
        return;
      case "set":
        if (this.find("Equals") === -1) open.push({ name, awaited: ["endset"], branches: 1 });
        return;
      case "with":
      case "filter":
      case "macro":
      case "call":
      case "generation":
        open.push({ name, awaited: [`end${name}`], branches: 1 });
        return;
      case "break":
      case "continue":
        if (!isInLoop(open)) syntaxError(`'${name}' outside loop`, line);
        return;
    }
    if (NEEDS_LOADER.has(name)) syntaxError(`'${name}' reads another template, and a chat template has none beside it`, line);
    failAtTag(name, open, line);
  }

  private inside(): PlacedToken[] {
    const { name, code, marks } = this;
    switch (name) {
      case "if":
      case "elif":
        return [this.word(name), ...this.group(code)];
      case "for":
        return this.forTokens();
      case "set": {
        const at = this.find("Equals");
        if (at !== -1) return [this.word("set"), ...this.target(code.slice(0, at)), code[at]!, ...this.group(code.slice(at + 1))];
        const filters = this.find("Pipe");
        const end = filters === -1 ? code.length : filters;
        return [this.word("set"), ...this.target(code.slice(0, end)), ...shape(code.slice(end), marks, true)];
      }
      case "filter": {
        const bar: PlacedToken = { ...this.word("|"), type: "Pipe" };
        return [this.word("set"), this.slot("filter"), ...shape([bar, ...code], marks, true)];
      }
      case "with":
        if (code.at(-1)?.type === "Comma") syntaxError(`expected token 'name', got '${BLOCK_END}'`, this.line);
        return [this.word("call"), ...shape([this.slot("with"), ...this.bracketed(code)], marks)];
      case "generation":
        this.expectEnd();
        return [this.word("call"), ...shape([this.slot("generation"), ...this.bracketed([])], marks)];
      case "macro":
        return [this.word("macro"), ...shape(code, marks)];
      case "call": {
        const end = code[0]?.type === "OpenParen" ? bracketEnd(code, 0) : 0;
        const parameters = end === 0 ? [] : shape(code.slice(0, end), marks, true);
        const call = this.bracketed(code.slice(end));
        const callee = shape([this.slot("call"), ...this.bracketed(call)], marks);
        return [this.word("call"), ...parameters, ...callee];
      }
    }
    this.expectEnd();
    return [this.word(ENDS[name] ?? name)];
  }

  /** Refuses anything behind the name of a tag. */
  private expectEnd(): void {
    const [token] = this.code;
    if (token) syntaxError(`expected token '${BLOCK_END}', got '${token.shown}'`, token.line);
  }

  /** `target in iterable [if test] [recursive]` as `target in for(iterable, test)`. */
  private forTokens(): PlacedToken[] {
    const { code, marks } = this;
    const at = code.findIndex((token) => token.value === "in");
    if (at === -1) syntaxError(`expected token 'in', got '${code[1]?.shown ?? BLOCK_END}'`, this.line);
    const last = code.at(-1);
    const recursive = last?.value === "recursive" && endsOperand(code.at(-2)!);
    const end = recursive ? code.length - 1 : code.length;
    const test = this.find("Identifier", "if", at + 1);
    const parts = test === -1 ? [code.slice(at + 1, end)] : [code.slice(at + 1, test), code.slice(test + 1, end)];
    const comma: PlacedToken = { ...this.word(","), type: "Comma" };
    const groups = parts.flatMap((part) => [...this.bracketed(part), comma]);
    const iteration = shape([this.slot("for", recursive), ...this.bracketed(groups)], marks);
    return [this.word("for"), ...this.target(code.slice(0, at)), code[at]!, ...iteration];
  }

  /** Names, dots, commas and brackets left of `=` or `in`, as the library reads them. */
  private target(tokens: PlacedToken[]): PlacedToken[] {
    if (tokens.at(-1)?.type === "Comma")
      syntaxError("a target that ends with a comma is not supported; put the value's only item into it with [0]", tokens.at(-1)!.line);
    return tokens.map((token) => {
      if (token.type !== "Identifier" || this.marks.at(token.value)) return token;
      return { ...token, value: this.marks.add({ type: "name", name: token.value, shown: token.value, line: token.line }) };
    });
  }

  private group(tokens: PlacedToken[]): PlacedToken[] {
    return shape(this.bracketed(tokens), this.marks);
  }

  private bracketed(tokens: PlacedToken[]): PlacedToken[] {
    return bracketed(tokens, this.line, BLOCK_END, this.last);
  }

  private slot(name: (Mark & { type: "slot" })["name"], recursive = false): PlacedToken {
    const value = this.marks.add({ type: "slot", name, recursive, shown: this.name, line: this.line });
    return { type: "Identifier", value, line: this.line, shown: this.name };
  }

  private word(value: string): PlacedToken {
    return { type: "Identifier", value, line: this.line, shown: this.name };
  }

  /** Index of the first token of a kind outside brackets, or −1. */
  private find(type: PlacedToken["type"], value?: string, from = 0): number {
    const { code } = this;
    for (let index = from; index < code.length; index++) {
      const token = code[index]!;
      if (token.type === type && (value === undefined || token.value === value)) return index;
      if (token.type.startsWith("Open")) index = bracketEnd(code, index) - 1;
    }
    return -1;
  }
}

/** Line of the end of a tag. */
function lastLine(code: string, line: number): number {
  return line + code.split("\n").length - 1;
}

/** Whether `recursive` behind a token is the marker of the loop, not a name in its expression. */
function endsOperand({ type, value }: PlacedToken): boolean {
  return !(type.endsWith("Operator") || type === "Pipe" || type === "Dot" || NEEDS_OPERAND.has(value));
}

/** Whether a loop control here stands in a loop: one around a macro or a call is none of theirs. */
function isInLoop(open: readonly OpenTag[]): boolean {
  const nearest = open.findLast(({ name, awaited }) => (name === "for" && awaited.includes("else")) || name === "macro" || name === "call");
  return nearest?.name === "for";
}

function failAtTag(tag: string | null, open: readonly OpenTag[], line: number): never {
  const message = [tag === null ? "Unexpected end of template." : `Encountered unknown tag '${tag}'.`];
  const top = open.at(-1);
  if (top) {
    const looking = top.awaited.map((name) => `'${name}'`).join(" or ");
    const isNesting = tag !== null && open.some(({ awaited }) => awaited.includes(tag));
    message.push(
      isNesting
        ? `You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for ${looking}.`
        : `Jinja was looking for the following tags: ${looking}.`,
      `The innermost block that needs to be closed is '${top.name}'.`,
    );
  }
  return syntaxError(message.join(" "), line);
}
