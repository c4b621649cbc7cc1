import { represent } from "./printing.js";
import { syntaxError } from "./python-error.js";
import { unescapeString } from "./string-literal.js";

export type TokenType =
  | "data"
  | "blockBegin"
  | "blockEnd"
  | "variableBegin"
  | "variableEnd"
  | "name"
  | "string"
  | "integer"
  | "float"
  | "operator"
  | "end";

/** A piece of a template; `line` counts from 1. For `data` and `string` the value is the text itself, escapes resolved. */
export interface Token {
  type: TokenType;
  value: string;
  line: number;
}

const OPENING = /\{%[-+]?|\{\{[-+]?|\{#[-+]?/g;
const RAW_BEGIN = /\{%([-+]?)\s*raw\s*(?:-%\}\s*|%\})/y;
const RAW_END = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;
const COMMENT_END = /\+#\}|-#\}\s*|#\}\n?/g;
const BLOCK_END = /\+%\}|-%\}\s*|%\}\n?/y;
const VARIABLE_END = /-\}\}\s*|\}\}/y;
const WHITESPACE = /\s+/y;
const FLOAT = /(?<!\.)\d+(?:_\d+)*(?:(?:\.\d+(?:_\d+)*)?e[+-]?\d+(?:_\d+)*|\.\d+(?:_\d+)*)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{ID_Start}_][\p{ID_Continue}]*/uy;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSES: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/**
 * Cuts a template into tokens with `trim_blocks` and `lstrip_blocks` on: a newline straight after a block or comment is
 * dropped, and so is blank space before one that opens a line; `-` and `+` beside a delimiter override both.
 * One newline at the very end is dropped. Throws `TemplateSyntaxError`.
 */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n|\r/g, "\n").replace(/\n$/, "");
  const tokens: Token[] = [];
  const lines = new LineCounter(source);
  let position = 0;
  let startsLine = true;

  const pushData = (text: string, at: number): void => {
    if (text !== "") tokens.push({ type: "data", value: text, line: lines.at(at) });
  };
  /** The text before a delimiter, with what its modifier (or `lstrip_blocks`) takes away. */
  const before = (text: string, modifier: string, isVariable: boolean): string => {
    if (modifier === "-") return text.trimEnd();
    if (modifier === "+" || isVariable) return text;
    const lineStart = text.lastIndexOf("\n") + 1;
    if (lineStart === 0 && !startsLine) return text;
    return /^\s*$/.test(text.slice(lineStart)) ? text.slice(0, lineStart) : text;
  };

  while (position < source.length) {
    OPENING.lastIndex = position;
    const opening = OPENING.exec(source);
    if (!opening) {
      pushData(source.slice(position), position);
      break;
    }
    const text = source.slice(position, opening.index);
    const delimiter = opening[0].slice(0, 2);
    const raw = delimiter === "{%" ? matchAt(RAW_BEGIN, source, opening.index) : null;
    const modifier = raw ? (raw[1] ?? "") : opening[0].slice(2);
    pushData(before(text, modifier, delimiter === "{{"), position);
    const line = lines.at(opening.index);

    if (raw || delimiter === "{#") {
      const bodyStart = opening.index + (raw ?? opening)[0].length;
      const pattern = raw ? RAW_END : COMMENT_END;
      pattern.lastIndex = bodyStart;
      const end = pattern.exec(source);
      if (!end) syntaxError(raw ? "Missing end of raw directive" : "Missing end of comment tag", line);
      if (raw) {
        startsLine = raw[0].endsWith("\n");
        pushData(before(source.slice(bodyStart, end.index), end[1] ?? "", false), bodyStart);
      }
      position = end.index + end[0].length;
      startsLine = end[0].endsWith("\n");
      continue;
    }

    const isBlock = delimiter === "{%";
    tokens.push({ type: isBlock ? "blockBegin" : "variableBegin", value: opening[0], line });
    position = tokenizeCode(source, opening.index + opening[0].length, isBlock, tokens, lines);
    startsLine = source[position - 1] === "\n";
  }
  tokens.push({ type: "end", value: "", line: lines.at(source.length) });
  return tokens;
}

/** Reads the inside of `{% … %}` or `{{ … }}` up to and with its end; returns the position after it. */
function tokenizeCode(source: string, start: number, isBlock: boolean, tokens: Token[], lines: LineCounter): number {
  const open: string[] = [];
  let position = start;
  while (position < source.length) {
    position += matchAt(WHITESPACE, source, position)?.[0].length ?? 0;
    if (position >= source.length) break;
    const line = lines.at(position);
    const end = open.length === 0 ? matchAt(isBlock ? BLOCK_END : VARIABLE_END, source, position) : null;
    if (end) {
      tokens.push({ type: isBlock ? "blockEnd" : "variableEnd", value: end[0], line });
      return position + end[0].length;
    }
    const token = readToken(source, position, line);
    const { text } = token;
    if (token.type === "operator") balance(text, open, line);
    tokens.push({ type: token.type, value: token.type === "string" ? unescapeString(text.slice(1, -1), line) : text, line });
    position += text.length;
  }
  return position;
}

function readToken(source: string, position: number, line: number): { type: TokenType; text: string } {
  const patterns: [TokenType, RegExp][] = [
    ["float", FLOAT],
    ["integer", INTEGER],
    ["name", NAME],
    ["string", STRING],
    ["operator", OPERATOR],
  ];
  for (const [type, pattern] of patterns) {
    const match = matchAt(pattern, source, position);
    if (match) return { type, text: match[0] };
  }
  return syntaxError(`unexpected char ${represent(String.fromCodePoint(source.codePointAt(position) ?? 0))} at ${position}`, line);
}

/** Keeps the stack of open brackets, inside which `}}` and `%}` do not end the tag. */
function balance(operator: string, open: string[], line: number): void {
  const closer = CLOSES[operator];
  if (closer !== undefined) {
    open.push(closer);
  } else if (operator === ")" || operator === "]" || operator === "}") {
    const expected = open.pop();
    if (expected === undefined) syntaxError(`unexpected '${operator}'`, line);
    if (expected !== operator) syntaxError(`unexpected '${operator}', expected '${expected}'`, line);
  }
}

function matchAt(pattern: RegExp, source: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(source);
}

/** Line of a position; positions must not go back. */
class LineCounter {
  private line = 1;
  private seen = 0;

  constructor(private readonly source: string) {}

  at(position: number): number {
    for (; this.seen < position; this.seen++) if (this.source[this.seen] === "\n") this.line++;
    return this.line;
  }
}
