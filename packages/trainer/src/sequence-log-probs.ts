import { gatherRows, segmentSum, type CausalLM, type Tensor } from "@kto/tensor";

/** A prompt and a completion as ids. */
export interface ScoredRow {
  promptIds: readonly number[];
  completionIds: readonly number[];
}

/** Options of `sequenceLogProbs`. */
export interface SequenceLogProbsOptions {
  /** Rows keep their first `maxLength` ids; null keeps all. */
  maxLength: number | null;
  /** See `CausalLM.hiddenStates`. */
  gradientCheckpointing?: boolean | number;
  /** Also entropy and mean logit of every scored position. */
  metrics?: boolean;
}

/** Log-probabilities of the completions of a batch, on the device. */
export interface SequenceLogProbs {
  /** [numRows] f32 nats: sums over scored tokens */
  logProbs: Tensor;
  /** [numScored] f32 nats, the scored tokens of all rows one after another; undefined when nothing is scored */
  tokenLogProbs: Tensor | undefined;
  /** [numRows] f32: sum of the entropies (nats) of the scored positions */
  entropy: Tensor | undefined;
  /** [numRows] f32: sum over the scored positions of the vocabulary's mean logit */
  meanLogit: Tensor | undefined;
  /** Scored tokens of each row. */
  numScored: number[];
  /** Tokens of each row after cutting. */
  rowLengths: number[];
}

/**
 * log π(completion | prompt) of each row: the sum over completion tokens of log softmax(logits)[token], with logits at scored positions only.
 * The first token of a row has nothing before it and is never scored.
 */
export function sequenceLogProbs(
  model: CausalLM,
  rows: readonly ScoredRow[],
  { maxLength, gradientCheckpointing = false, metrics = false }: SequenceLogProbsOptions,
): SequenceLogProbs {
  const { device } = model;
  const plan = planScoring(rows, maxLength);
  const rowLengths = plan.ids.map((ids) => ids.length);
  const numScored = plan.numScored;
  if (plan.positions.length === 0) {
    const zeros = (): Tensor => device.zeros([rows.length], "f32");
    return {
      logProbs: zeros(),
      tokenLogProbs: undefined,
      entropy: metrics ? zeros() : undefined,
      meanLogit: metrics ? zeros() : undefined,
      numScored,
      rowLengths,
    };
  }
  return device.scope("sequenceLogProbs", () => {
    const batch = model.packRows(plan.ids);
    const hidden = model.hiddenStates(batch, { gradientCheckpointing }); // [numTokens, hiddenSize]
    const positions = device.tensor(plan.positions, [plan.positions.length], "u32", "scored positions");
    const labels = device.tensor(plan.labels, [plan.labels.length], "u32", "labels");
    const bounds = device.tensor(plan.bounds, [plan.bounds.length], "u32", "row bounds");
    const scored = model.logProbs(gatherRows(hidden, positions), labels, { metrics });
    return {
      logProbs: segmentSum(scored.logProbs, bounds), // [numRows]
      tokenLogProbs: scored.logProbs.detach(),
      entropy: scored.entropy && segmentSum(scored.entropy, bounds),
      meanLogit: scored.meanLogit && segmentSum(scored.meanLogit, bounds),
      numScored,
      rowLengths,
    };
  });
}

interface ScoringPlan {
  ids: number[][];
  /** Packed index of the token before each scored one. */
  positions: number[];
  labels: number[];
  /** [numRows + 1] start of each row's scored tokens */
  bounds: number[];
  numScored: number[];
}

function planScoring(rows: readonly ScoredRow[], maxLength: number | null): ScoringPlan {
  const plan: ScoringPlan = { ids: [], positions: [], labels: [], bounds: [0], numScored: [] };
  let offset = 0;
  for (const { promptIds, completionIds } of rows) {
    const ids = [...promptIds, ...completionIds].slice(0, maxLength ?? undefined);
    for (let position = Math.max(1, promptIds.length); position < ids.length; position++) {
      plan.positions.push(offset + position - 1);
      plan.labels.push(ids[position]!);
    }
    plan.ids.push(ids);
    plan.numScored.push(plan.positions.length - plan.bounds.at(-1)!);
    plan.bounds.push(plan.positions.length);
    offset += ids.length;
  }
  return plan;
}
