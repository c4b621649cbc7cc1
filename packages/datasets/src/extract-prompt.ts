import type { DataRow } from "./dataset.js";
import { RowError } from "./errors.js";
import { textOf, type TextOrMessages } from "./rows.js";

/**
 * Splits a pair without a prompt into the part both sides share and the two remainders, with trl's rules.
 *
 * The prompt ends at the first place where `chosen` and `rejected` differ (code points of text, messages of conversations), or one earlier when a single
 * space stands just before it. As in trl, the search stops at the last place compared when one side begins with the other, and at place 0 the one before
 * is the last of `chosen`. Throws `RowError` when a side is missing or empty or the two are not of one kind.
 *
 * @see trl 1.16, extract_prompt
 */
export function extractPrompt<Row extends DataRow>(
  row: Row,
  index = 0,
): Row & { prompt: TextOrMessages; chosen: TextOrMessages; rejected: TextOrMessages } {
  const chosen = textOf(row, "chosen", index);
  const rejected = textOf(row, "rejected", index);
  if (typeof chosen !== typeof rejected) {
    throw new RowError(
      `extractPrompt: row ${index}: chosen and rejected are not of one kind; expected two texts or two conversations, got one of each; mend row ${index} (counted from 0)`,
      { row: index, column: "rejected" },
    );
  }
  if (typeof chosen === "string") {
    const [prompt, chosenRest, rejectedRest] = splitShared([...chosen], [...(rejected as string)]);
    return { ...row, prompt: prompt.join(""), chosen: chosenRest.join(""), rejected: rejectedRest.join("") };
  }
  const [prompt, chosenRest, rejectedRest] = splitShared(chosen, rejected as typeof chosen);
  return { ...row, prompt, chosen: chosenRest, rejected: rejectedRest };
}

function splitShared<Element>(chosen: Element[], rejected: Element[]): [Element[], Element[], Element[]] {
  const compared = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < compared && sameValue(chosen[end], rejected[end])) end += 1;
  if (end === compared) end = compared - 1;
  else if (chosen.at(end - 1) === " ") end -= 1;
  return [chosen.slice(0, end), chosen.slice(end), rejected.slice(end)]; // end may be −1, which counts from the back
}

/** Equal JSON values; a field that is null equals one that is absent. */
function sameValue(a: unknown, b: unknown): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue((left as DataRow)[key], (right as DataRow)[key]));
}
