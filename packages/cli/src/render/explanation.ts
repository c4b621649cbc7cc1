import type { PrintedCode } from "../explain/index.js";
import { explanations, printedCodes } from "../explain/index.js";
import { wrap } from "./console.js";

/** What is to be known of a code, in lines of at most `width` columns. */
export function explanationText(code: PrintedCode, width: number): string {
  const { about, remedies } = explanations[code];
  const indented = (text: string, first: string): string[] =>
    wrap(text, width - first.length).map((line, index) => `${index === 0 ? first : " ".repeat(first.length)}${line}`);
  const lines = [
    ...wrap(`${code}: ${printedCodes[code]}`, width),
    "",
    ...wrap(about, width),
    "",
    "causes, and what to do:",
    ...remedies.flatMap(({ cause, cure }) => [...indented(cause, "- "), ...indented(cure, "    ")]),
  ];
  return `${lines.join("\n")}\n`;
}
