import type { ReferenceFreePairs } from "@kto/losses";
import { concat, scale, sum, view, type Tensor } from "@kto/tensor";
import { shuffleSeedOf, type OrderArguments } from "../config/order-fields.js";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import type { BackwardPass, Method, MethodContext, NamedTensors } from "../loop/method.js";
import { inPassesOf, type PassOptions } from "../memory/passes.js";
import { answerLengths, answersOf, everyNth } from "../pairs/pair-answers.js";
import { pairScores } from "../pairs/pair-scores.js";
import { preparePairDataset, type PairRow, type PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import { policyPass, sendBack } from "../scoring/policy-pass.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import { referenceFreeMetrics } from "./reference-free-metrics.js";

/** Some pairs of a micro-batch as a loss without a reference reads them. */
export interface ScoredPairs extends ReferenceFreePairs {
  /** [b] f32 nats, log π of the prompts of the chosen rows, but for their first tokens; zeros unless they are scored */
  chosenPromptLogProbs: Tensor;
  /** Mean over all pairs of the micro-batch of the tokens of a chosen row that are scored. */
  meanChosenLength: number;
}

/** A loss of some pairs, and what is logged of it. Only `loss` is on the tape. */
export interface PairObjective {
  /** [] f32, its mean over these pairs */
  loss: Tensor;
  /** [] f32, the likelihood in it, a mean too */
  nll: Tensor;
  /** [b] f32 each: rewards, log-probabilities and odds, as `referenceFreeMetrics` reads them */
  ofPairs: NamedTensors;
}

/** What sets one method without a reference apart from another. */
export interface ReferenceFreeOptions {
  name: string;
  args: OrderArguments;
  /** Whether the prompts of chosen rows are learnt too. */
  scoresPrompts: boolean;
  /** See `answersOf`; without effect where prompts are learnt. */
  sharedPrompts: boolean;
  objective(pairs: ScoredPairs): PairObjective;
}

/** A method of the loop that compares the two answers of pairs by the policy alone: each micro-batch goes through the model once. */
export function referenceFreeMethod({
  name,
  args,
  scoresPrompts,
  sharedPrompts,
  objective,
}: ReferenceFreeOptions): Method<PairRow, PreparedPairDataset> {
  const sequencesOf = (pair: PairRow): readonly [chosen: ScoredRow, rejected: ScoredRow] => {
    const [chosen, rejected] = answersOf([pair], sharedPrompts) as [ScoredRow, ScoredRow];
    return [scoresPrompts ? withPromptScored(chosen) : chosen, rejected];
  };
  return {
    name,
    shuffleSeed: shuffleSeedOf(args),
    prepare: preparePairDataset,
    passes: (pairs) => [pairs.map(sequencesOf)],
    record: (context, pairs, _before, backwardPass) => {
      const numChosen = pairs.reduce((total, pair) => total + numScoredTokens(sequencesOf(pair)[0]), 0);
      const whole = { numPairs: pairs.length, meanChosenLength: Math.max(1, numChosen) / pairs.length };
      const parts = inPassesOf(context, pairs, sequencesOf, (part, options) =>
        context.model.device.scope("pass", () =>
          pairPass(context, { pairs: part, sequences: part.flatMap(sequencesOf), ...whole, ...options, objective }, backwardPass),
        ),
      );
      return together(parts, pairs.length);
    },
    metrics: referenceFreeMetrics,
    scores: (values, pairs) =>
      pairScores(pairs, {
        chosenRewards: values["chosenRewards"]!,
        rejectedRewards: values["rejectedRewards"]!,
        chosenLogProbs: values["chosenLogps"]!,
        rejectedLogProbs: values["rejectedLogps"]!,
      }),
  };
}

interface PairPass extends PairObjective {
  numPairs: number;
}

interface PassInput extends PassOptions {
  pairs: readonly PairRow[];
  /** Chosen and rejected of each pair in turn, as they go through the model. */
  sequences: readonly ScoredRow[];
  /** Of the whole micro-batch. */
  numPairs: number;
  meanChosenLength: number;
  objective: ReferenceFreeOptions["objective"];
}

/** The policy on some of a micro-batch's pairs, their loss, and their share of the gradient of the mean over all `numPairs`. */
function pairPass(
  context: MethodContext,
  { pairs, sequences, numPairs, meanChosenLength, objective, ...passOptions }: PassInput,
  backwardPass: BackwardPass | undefined,
): PairPass {
  const { device, base } = context.model;
  const batch = packScoredBatch(base, sequences, passOptions);
  const policy = policyPass(context, backwardPass, (gradientCheckpointing) =>
    scoreBatch(base, batch, { gradientCheckpointing, metrics: true, bounds: partsOf(pairs, sequences) }),
  );
  const ofPart = (sums: Tensor, part: 0 | 1 | 2): Tensor => everyNth(sums, 3, part); // [b]
  const { loss, nll, ofPairs } = objective({
    chosenPromptLogProbs: ofPart(policy.logProbs, 0),
    chosenLogProbs: ofPart(policy.logProbs, 1),
    rejectedLogProbs: ofPart(policy.logProbs, 2),
    chosenLengths: answerLengths(device, pairs, "chosen"),
    rejectedLengths: answerLengths(device, pairs, "rejected"),
    meanChosenLength,
  });
  sendBack(loss, { numRows: pairs.length, numWhole: numPairs }, backwardPass);
  const meanLogits = { chosenMeanLogit: ofPart(policy.meanLogit!, 1), rejectedMeanLogit: ofPart(policy.meanLogit!, 2) };
  return { loss: loss.detach(), nll, ofPairs: { ...ofPairs, ...meanLogits }, numPairs: pairs.length };
}

/** Where the sums of each pair begin among the scored tokens: its prompt, if that is scored, its chosen answer, its rejected one; and the end. */
function partsOf(pairs: readonly PairRow[], sequences: readonly ScoredRow[]): number[] {
  const bounds = [0];
  for (const [index, { chosen, rejected }] of pairs.entries()) {
    const numPrompt = numScoredTokens(sequences[2 * index]!) - numScoredTokens(chosen);
    for (const count of [numPrompt, numScoredTokens(chosen), numScoredTokens(rejected)]) bounds.push(bounds.at(-1)! + count);
  }
  return bounds;
}

/** Results of several passes as those of one: vectors one after another, means by the number of pairs. */
function together(parts: readonly PairPass[], numPairs: number): NamedTensors & { readonly loss: Tensor } {
  const [first] = parts as [PairPass];
  const mean = (name: "loss" | "nll"): Tensor =>
    parts.length === 1 ? first[name] : sum(concat(parts.map((part) => scale(view(part[name], [1]), part.numPairs / numPairs)))); // []
  const ofPairs = Object.keys(first.ofPairs).map((name) => [name, concat(parts.map((part) => part.ofPairs[name]!))] as const); // [B] each
  return { loss: mean("loss"), nll: mean("nll"), ...Object.fromEntries(ofPairs) };
}

/** A row of which every token is scored but the first. */
function withPromptScored({ promptIds, completionIds }: ScoredRow): ScoredRow {
  return { promptIds: [], completionIds: [...promptIds, ...completionIds] };
}
