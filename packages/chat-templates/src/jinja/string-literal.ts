import { syntaxError } from "./python-error.js";

const SIMPLE: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g;

/** Resolves the escapes of a string literal as Python does: an unknown one keeps its backslash. Throws `TemplateSyntaxError` for a broken one. */
export function unescapeString(body: string, line: number): string {
  return body.replace(ESCAPE, (whole, hex2?: string, hex4?: string, hex8?: string, octal?: string, other?: string) => {
    const hex = hex2 ?? hex4 ?? hex8;
    const code = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : undefined;
    if (code !== undefined) return code > 0x10ffff ? syntaxError("illegal Unicode character", line) : String.fromCodePoint(code);
    const digits = { x: "XX", u: "XXXX", U: "XXXXXXXX" }[other ?? ""];
    if (digits) syntaxError(`truncated \\${other}${digits} escape`, line);
    if (other === "N") syntaxError("malformed \\N character escape", line);
    return SIMPLE[other ?? ""] ?? whole;
  });
}
