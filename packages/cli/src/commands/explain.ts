import { excerpt, nearestName } from "@kto/core";
import { commandValues } from "../config/check-command.js";
import { exitStatus } from "../errors.js";
import { printedCodes, type PrintedCode } from "../explain/index.js";
import { maxWidth } from "../render/console.js";
import { explanationText } from "../render/explanation.js";
import type { Command, CommandInput } from "./command.js";

export const explainCommand: Command = {
  name: "explain",
  summary: "what an error code means, its causes and cures",
  usage: "kto explain CODE",
  examples: [["kto explain OUT_OF_MEMORY", "what stands in error[…] of a line; without the network"]],
  fields: {},
  run: explain,
};

async function explain(input: CommandInput): Promise<number> {
  const { operands, options, io } = input;
  const code = operands.length === 1 ? codeOf(operands[0]!) : undefined;
  commandValues("explain", {}, input, code === undefined ? [mistakeOf(operands)] : []);
  if (options.json) {
    io.stdout.write(`${JSON.stringify({ code, text: explanationText(code!, Infinity) })}\n`);
  } else {
    const { isTTY, columns } = io.stdout;
    io.stdout.write(explanationText(code!, Math.min(maxWidth, isTTY === true && columns ? Math.max(20, columns) : Infinity)));
  }
  return exitStatus.done;
}

/** The code that a word names, in any case, also as it stands in a line: `error[SHAPE]`. */
function codeOf(word: string): PrintedCode | undefined {
  const name = (/\[([^\]]*)\]/.exec(word)?.[1] ?? word).trim().toUpperCase();
  return Object.hasOwn(printedCodes, name) ? (name as PrintedCode) : undefined;
}

function mistakeOf(operands: readonly string[]): string {
  const codes = Object.keys(printedCodes);
  if (operands.length !== 1)
    return `explain: expected one code, got ${operands.length === 0 ? "none" : operands.length}; name one of ${codes.sort().join(", ")}`;
  const close = nearestName(operands[0]!.toUpperCase(), codes, 2);
  return `explain: there is no code ${excerpt(operands[0])}; ${close === undefined ? `expected one of ${codes.sort().join(", ")}` : `did you mean ${close}?`}`;
}
