import { scoredTokens, type ScoredRow } from "./rows.js";
import type { Tokenizer } from "./tokenizer.js";

/** A token of a sample. */
export interface ReportToken {
  id: number;
  /** The token alone as text; a part of a character shows as U+FFFD. Absent when the tokenizer cannot decode. */
  text?: string;
  /** True for the tokens whose log-probability enters the loss. */
  scored: boolean;
}

/** The tokens of a row, each with its text where the tokenizer can tell it. */
export function reportTokens(row: ScoredRow, tokenizer: Tokenizer | undefined): ReportToken[] {
  const scored = scoredTokens(row);
  return [...row.promptIds, ...row.completionIds].map((id, index) => ({
    id,
    ...(tokenizer?.decode && { text: tokenizer.decode([id], { skipSpecialTokens: false }) }),
    scored: scored[index]!,
  }));
}
