import type { Marks } from "./marks.js";
import { MARK_WORD } from "./marks.js";
import { expectDepth } from "./nesting.js";
import { parseDigits, represent } from "./printing.js";
import { syntaxError } from "./python-error.js";
import { unescapeString } from "./string-literal.js";
import { PYTHON_SPACE, strip } from "./text.js";

/** A stretch of a template: text to print, or the inside of `{% … %}` or `{{ … }}`; `line` counts from 1. */
export interface Segment {
  type: "text" | "statement" | "expression";
  text: string;
  line: number;
}

const SPACE = `[${PYTHON_SPACE}]`;
const OPENING = /\{%[-+]?|\{\{[-+]?|\{#[-+]?/g;
const RAW_BEGIN: RegExp = new RegExp(`\\{%([-+]?)${SPACE}*raw${SPACE}*(?:-%\\}${SPACE}*|%\\})`, "y");
const RAW_END: RegExp = new RegExp(`\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:\\+%\\}|-%\\}${SPACE}*|%\\}\\n?)`, "g");
const COMMENT_END: RegExp = new RegExp(`\\+#\\}|-#\\}${SPACE}*|#\\}\\n?`, "g");
const BLOCK_END: RegExp = new RegExp(`\\+%\\}|-%\\}${SPACE}*|%\\}\\n?`, "y");
const VARIABLE_END: RegExp = new RegExp(`-\\}\\}${SPACE}*|\\}\\}`, "y");
const BLANK: RegExp = new RegExp(`${SPACE}+`, "y");
const BLANK_LINE: RegExp = new RegExp(`^${SPACE}*$`);
const FLOAT = /(?<!\.)\d+(?:_\d+)*(?:(?:\.\d+(?:_\d+)*)?e[+-]?\d+(?:_\d+)*|\.\d+(?:_\d+)*)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{ID_Start}_][\p{ID_Continue}]*/uy;
const QUOTED = String.raw`(?:'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*")`;
/** Strings beside each other are one. */
const STRING: RegExp = new RegExp(`${QUOTED}(?:${SPACE}*${QUOTED})*`, "y");
const ONE_STRING: RegExp = new RegExp(`${SPACE}*${QUOTED}`, "g");
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSES: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/**
 * Cuts a template at its tags, with `trim_blocks` and `lstrip_blocks` on: a newline straight after a block or comment is
 * dropped, and so is blank space before one that opens a line; `-` and `+` beside a delimiter override both. `raw` blocks
 * become text, comments go, one newline at the very end is dropped. In the code of tags, literals and names that the
 * library's lexer reads otherwise than Python become marks. Throws `TemplateSyntaxError`.
 */
export function cutTemplate(template: string, marks: Marks): Segment[] {
  const source = template.replace(/\r\n|\r/g, "\n").replace(/\n$/, "");
  const segments: Segment[] = [];
  const lineAt = lineCounter(source);
  let position = 0;
  let startsLine = true;

  const pushText = (text: string, at: number): void => {
    if (text !== "") segments.push({ type: "text", text, line: lineAt(at) });
  };
  /** The text before a delimiter, without what its modifier (or `lstrip_blocks`) takes away. */
  const before = (text: string, modifier: string, isVariable: boolean): string => {
    if (modifier === "-") return strip(text, null, "right");
    if (modifier === "+" || isVariable) return text;
    const lineStart = text.lastIndexOf("\n") + 1;
    if (lineStart === 0 && !startsLine) return text;
    return BLANK_LINE.test(text.slice(lineStart)) ? text.slice(0, lineStart) : text;
  };

  while (position < source.length) {
    OPENING.lastIndex = position;
    const opening = OPENING.exec(source);
    if (!opening) {
      pushText(source.slice(position), position);
      break;
    }
    const delimiter = opening[0].slice(0, 2);
    const raw = delimiter === "{%" ? matchAt(RAW_BEGIN, source, opening.index) : null;
    pushText(before(source.slice(position, opening.index), raw?.[1] ?? opening[0].slice(2), delimiter === "{{"), position);
    const line = lineAt(opening.index);
    const start = opening.index + (raw ?? opening)[0].length;

    if (raw || delimiter === "{#") {
      const pattern = raw ? RAW_END : COMMENT_END;
      pattern.lastIndex = start;
      const end = pattern.exec(source);
      if (!end) syntaxError(raw ? "Missing end of raw directive" : "Missing end of comment tag", line);
      if (raw) {
        startsLine = raw[0].endsWith("\n");
        pushText(before(source.slice(start, end.index), end[1] ?? "", false), start);
      }
      position = end.index + end[0].length;
    } else {
      const isBlock = delimiter === "{%";
      const { code, end } = cutCode(source, start, isBlock, marks, lineAt);
      segments.push({ type: isBlock ? "statement" : "expression", text: code, line });
      position = end;
    }
    startsLine = source[position - 1] === "\n";
  }
  return segments;
}

/** The code of a tag, its pieces parted by blanks, and the position after the tag. */
function cutCode(
  source: string,
  start: number,
  isBlock: boolean,
  marks: Marks,
  lineAt: (position: number) => number,
): { code: string; end: number } {
  const open: string[] = [];
  let code = "";
  let position = start;
  while (position < source.length) {
    const end = open.length === 0 ? matchAt(isBlock ? BLOCK_END : VARIABLE_END, source, position) : null;
    if (end) return { code, end: position + end[0].length };
    const line = lineAt(position);
    const [text, word] = readPiece(source, position, line, marks);
    if (word === text) balance(text, open, line);
    // A literal over several lines leaves its newlines, so that lines can be counted in the code too.
    code += `${word} ${"\n".repeat(text.split("\n").length - word.split("\n").length)}`;
    position += text.length;
  }
  return syntaxError(
    `unexpected end of template, expected '${isBlock ? "end of statement block" : "end of print statement"}'.`,
    lineAt(source.length),
  );
}

/** What stands at a position of the source, and what the library is to read in its place. */
function readPiece(source: string, position: number, line: number, marks: Marks): [text: string, word: string] {
  const read = (pattern: RegExp): string | undefined => matchAt(pattern, source, position)?.[0];
  const blank = read(BLANK);
  if (blank !== undefined) return [blank, " "];
  const float = read(FLOAT);
  if (float !== undefined) return [float, marks.add({ type: "constant", value: Number(float.replaceAll("_", "")), shown: "float", line })];
  const integer = read(INTEGER);
  if (integer !== undefined) return [integer, marks.add({ type: "constant", value: parseDigits(integer), shown: "integer", line })];
  const name = read(NAME);
  if (name !== undefined) {
    return [name, /^\w+$/.test(name) && !MARK_WORD.test(name) ? name : marks.add({ type: "name", name, shown: name, line })];
  }
  const string = read(STRING);
  if (string !== undefined) {
    const value = string.replace(ONE_STRING, (one) => unescapeString(strip(one).slice(1, -1), line));
    return [string, marks.add({ type: "constant", value, shown: "string", line })];
  }
  const operator = read(OPERATOR);
  if (operator !== undefined) return [operator, operator];
  return syntaxError(`unexpected char ${represent(String.fromCodePoint(source.codePointAt(position) ?? 0))} at ${position}`, line);
}

/** Keeps the stack of open brackets, inside which `}}` and `%}` do not end the tag. */
function balance(operator: string, open: string[], line: number): void {
  const closer = CLOSES[operator];
  if (closer !== undefined) {
    open.push(closer);
    expectDepth("brackets", open.length, line);
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
function lineCounter(source: string): (position: number) => number {
  let line = 1;
  let seen = 0;
  return (position) => {
    for (; seen < position; seen++) if (source[seen] === "\n") line++;
    return line;
  };
}
