import type { Prefix } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";

/** Rows as they go through the model, prompts that several share once. */
export interface PackedPrompts {
  /** What goes through the model: rows, prompts that several rows share, and what these rows go on with. */
  sequences: number[][];
  prefixes: (Prefix | undefined)[];
  /** For each row where its first token would lie among all tokens, were the tokens before each of its own its own too. */
  firstTokens: number[];
  /** For each row one past its last token. */
  endTokens: number[];
}

/** Puts rows one after another. A shared prompt comes before the first of its rows, but its last token is in each of them, since each predicts a token of its own from it. */
export function packWithPrompts(rows: readonly ScoredRow[]): PackedPrompts {
  const counts = new Map<object | undefined, number>();
  for (const { sharedPrompt } of rows) counts.set(sharedPrompt, 1 + (counts.get(sharedPrompt) ?? 0));
  const places = new Map<object, number>();
  const packed: PackedPrompts = { sequences: [], prefixes: [], firstTokens: [], endTokens: [] };
  let numTokens = 0;
  const add = (ids: number[], prefix: Prefix | undefined): void => {
    packed.sequences.push(ids);
    packed.prefixes.push(prefix);
    numTokens += ids.length;
  };
  for (const { promptIds, completionIds, sharedPrompt } of rows) {
    const length = promptIds.length - 1;
    const isShared = sharedPrompt !== undefined && length > 0 && counts.get(sharedPrompt)! > 1;
    if (isShared && !places.has(sharedPrompt)) {
      places.set(sharedPrompt, packed.sequences.length);
      add(promptIds.slice(0, -1), undefined);
    }
    packed.firstTokens.push(numTokens - (isShared ? length : 0));
    if (isShared) add([promptIds.at(-1)!, ...completionIds], { row: places.get(sharedPrompt)!, length });
    else add([...promptIds, ...completionIds], undefined);
    packed.endTokens.push(numTokens);
  }
  return packed;
}
