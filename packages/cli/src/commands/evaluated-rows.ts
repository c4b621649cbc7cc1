import { basename, dirname } from "node:path";
import { folderStore } from "@kto/core/node";
import type { AnswerScore, Comparison } from "@kto/trainer";
import type { EvaluatedSide } from "./evaluate-sides.js";

/** What is known of one answer, in the words of `kto score`. */
interface AnswerLine {
  label?: boolean;
  logps: number;
  reward?: number;
  num_tokens: number;
}

/**
 * Writes a JSONL file, whole or not at all, with a line for each row that was scored, in the order of the data: `row`, its place in the data, and `answers`; of
 * two models also `against_answers`, and `value`, `against_value` and `difference` as they are compared. Throws WriteError.
 */
export async function writeRowsFile(
  path: string,
  first: EvaluatedSide,
  against: EvaluatedSide | undefined,
  comparison: Comparison | undefined,
): Promise<void> {
  const others = against && answersByRow(against);
  const compared = new Map(comparison?.rows.map((row) => [row.sourceIndex, row]));
  const lines = [...answersByRow(first)].map(([row, answers]) => {
    const { value, againstValue, difference } = compared.get(row) ?? {};
    return JSON.stringify({ row, answers, against_answers: others?.get(row), value, against_value: againstValue, difference });
  });
  await folderStore(dirname(path)).write(basename(path), lines.map((line) => `${line}\n`).join(""));
}

function answersByRow({ scores, hasRewards }: EvaluatedSide): Map<number, AnswerLine[]> {
  const rows = new Map<number, AnswerLine[]>();
  for (const score of scores.toSorted((a, b) => a.sourceIndex - b.sourceIndex))
    rows.set(score.sourceIndex, [...(rows.get(score.sourceIndex) ?? []), answerLine(score, hasRewards)]);
  return rows;
}

function answerLine({ label, logProb, reward, numTokens }: AnswerScore, hasRewards: boolean): AnswerLine {
  return {
    ...(label !== undefined && { label }),
    logps: logProb,
    ...(hasRewards && reward !== undefined && { reward }),
    num_tokens: numTokens,
  };
}
