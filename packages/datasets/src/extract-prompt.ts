import { isFloat } from "@kto/core";
import type { DataRow } from "./dataset.js";
import { rowError } from "./errors.js";
import { textOf, type TextOrMessages } from "./rows.js";

/**
 * Splits a pair without a prompt into the part both sides share and the two remainders, with trl's rules.
 *
 * The prompt ends at the first place where `chosen` and `rejected` differ (code points of text, messages of conversations), or one earlier when a single
 * space stands just before it. As in trl, the search stops at the last place compared when one side begins with the other, and at place 0 the one before
 * is the last of `chosen`. Throws `RowError` when a side is missing or empty, where trl fails too, or the two are not of one kind.
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
    throw rowError(index, {
      problem: "chosen and rejected are not of one kind",
      expected: "two texts or two conversations",
      got: "one of each",
      column: "rejected",
    });
  }
  const empty = chosen.length === 0 ? "chosen" : rejected.length === 0 ? "rejected" : undefined;
  if (empty !== undefined) {
    throw rowError(index, {
      problem: `"${empty}" is empty, so that there is no prompt in it`,
      expected: "the prompt and an answer",
      got: "nothing",
      column: empty,
    });
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

/** Equal JSON values as Python compares them: numbers by value, true as 1; a field that is null equals one that is absent. */
function sameValue(a: unknown, b: unknown): boolean {
  const [left, right] = [plainOf(a), plainOf(b)];
  // oxlint-disable-next-line eqeqeq -- an integer past 2^53 is a bigint, and == compares it with a number by value
  if (typeof left !== "object" && typeof right !== "object" && typeof left !== "string" && typeof right !== "string") return left == right;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue((left as DataRow)[key], (right as DataRow)[key]));
}

/** A value in the form in which it is compared. */
function plainOf(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>);
  if (isFloat(value) || typeof value === "boolean") return Number(value);
  return value ?? null;
}
