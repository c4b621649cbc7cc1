import type { CausalLM } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";
import type { Reference } from "./reference.js";
import { scoreBatch } from "./score-batch.js";
import { packScoredBatch } from "./scored-batch.js";

/** Log-probabilities of the scored tokens of some rows, in nats: a list a row. */
export interface TokenScores {
  policy: readonly Float32Array[];
  /** Undefined where there is nothing to compare with. */
  reference: readonly Float32Array[] | undefined;
}

/** What each scored token of rows has under the policy and under the reference, without gradients: all rows in one batch. */
export async function scoreTokens(
  { base, reference }: { base: CausalLM; reference: Reference | undefined },
  rows: readonly ScoredRow[],
): Promise<TokenScores> {
  const { device } = base;
  const { numScored, tensors } = device.scope(() => {
    const batch = packScoredBatch(base, rows);
    const score = (model: CausalLM) => scoreBatch(model, batch).tokenLogProbs;
    const policy = device.noGrad(() => score(base));
    return { numScored: batch.numScored, tensors: [policy, policy && reference?.run(score)].filter((tensor) => tensor !== undefined) };
  });
  const read = await device.readAll(tensors);
  for (const tensor of tensors) tensor.dispose();
  const byRow = (values: Float32Array | undefined): Float32Array[] => {
    let next = 0;
    return numScored.map((count) => values?.slice(next, (next += count)) ?? new Float32Array());
  };
  return { policy: byRow(read[0]), reference: reference && byRow(read[1]) };
}
