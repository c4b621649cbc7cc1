import type { ReferenceFreePairs } from "@kto/losses";
import { concat, scale, sum, view, type Device, type Tensor } from "@kto/tensor";
import { shuffleSeedOf, type OrderArguments } from "../config/order-fields.js";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import type { BackwardPass, Method, MethodContext, NamedTensors, RecordedTensors } from "../loop/method.js";
import { inPassesOf, longestRowOf, type PassOptions } from "../memory/passes.js";
import { answerLengths, answersOf, everyNth } from "../pairs/pair-answers.js";
import { pairScores } from "../pairs/pair-scores.js";
import { preparePairDataset, type PairRow, type PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import { lossesTogether } from "../scoring/losses-together.js";
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
  const meanLength = (pairs: readonly PairRow[]): number =>
    Math.max(
      1,
      pairs.reduce((total, pair) => total + numScoredTokens(sequencesOf(pair)[0]), 0),
    ) / pairs.length;
  return {
    name,
    shuffleSeed: shuffleSeedOf(args),
    prepare: preparePairDataset,
    passes: (pairs) => [pairs.map(sequencesOf)],
    record: (context, pairs, _before, backwardPass) => {
      const { device } = context.model;
      const meanChosenLength = meanLength(pairs);
      const parts = inPassesOf(context, pairs, sequencesOf, (part, options) =>
        device.scope("pass", (): LossOfPairs => {
          const forward = pairForward(context, { pairs: part, sequences: part.flatMap(sequencesOf), ...options }, backwardPass);
          const { loss, ...others } = lossOfPairs(device, { pairs: part, meanChosenLength, objective }, forward);
          sendBack(loss, { numRows: part.length, numWhole: pairs.length }, backwardPass);
          return { ...others, loss: loss.detach() };
        }),
      );
      return joined(parts, pairs.length);
    },
    recordTogether: (context, microBatches, backwardPass) => {
      const { device } = context.model;
      const pairs = microBatches.flat();
      const sequences = pairs.flatMap(sequencesOf);
      const options = { largestPass: context.layout.largestPass, longestRow: longestRowOf(sequences) };
      return lossesTogether(
        {
          device,
          microBatches,
          forward: pairForward(context, { pairs, sequences, ...options }, backwardPass),
          countOf: (some) => 3 * some.length,
          lossOf: (some, forward) => {
            const meanChosenLength = meanLength(some);
            const { loss, nll, ofPairs } = lossOfPairs(device, { pairs: some, meanChosenLength, objective }, forward);
            return { loss, nll, ...ofPairs };
          },
        },
        backwardPass,
      );
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

/** What a loss is made of: of each pair the prompt, if that is scored, its chosen answer and its rejected one, in turn. */
type PairForward = {
  /** [3b] f32 nats, on the tape */
  logProbs: Tensor;
  /** [3b] f32: sums over scored positions */
  meanLogit: Tensor;
};

/**
 * The policy on some pairs.
 *
 * @param sequences  chosen and rejected of each pair in turn, as they go through the model
 */
function pairForward(
  context: MethodContext,
  { pairs, sequences, ...passOptions }: PassOptions & { pairs: readonly PairRow[]; sequences: readonly ScoredRow[] },
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
): PairForward {
  const { base } = context.model;
  const batch = packScoredBatch(base, sequences, passOptions);
  const { logProbs, meanLogit } = policyPass(context, backwardPass, (gradientCheckpointing) =>
    scoreBatch(base, batch, { gradientCheckpointing, metrics: true, bounds: partsOf(pairs, sequences) }),
  );
  return { logProbs, meanLogit: meanLogit! };
}

interface LossOfPairs extends PairObjective {
  numPairs: number;
}

/** The loss of a micro-batch's pairs, or of some of them. */
function lossOfPairs(
  device: Device,
  { pairs, meanChosenLength, objective }: Pick<ReferenceFreeOptions, "objective"> & { pairs: readonly PairRow[]; meanChosenLength: number },
  { logProbs, meanLogit }: PairForward,
): LossOfPairs {
  const ofPart = (sums: Tensor, part: 0 | 1 | 2): Tensor => everyNth(sums, 3, part); // [b]
  const { loss, nll, ofPairs } = objective({
    chosenPromptLogProbs: ofPart(logProbs, 0),
    chosenLogProbs: ofPart(logProbs, 1),
    rejectedLogProbs: ofPart(logProbs, 2),
    chosenLengths: answerLengths(device, pairs, "chosen"),
    rejectedLengths: answerLengths(device, pairs, "rejected"),
    meanChosenLength,
  });
  const meanLogits = { chosenMeanLogit: ofPart(meanLogit, 1), rejectedMeanLogit: ofPart(meanLogit, 2) };
  return { loss, nll, ofPairs: { ...ofPairs, ...meanLogits }, numPairs: pairs.length };
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
function joined(parts: readonly LossOfPairs[], numPairs: number): RecordedTensors {
  const [first] = parts as [LossOfPairs];
  const mean = (name: "loss" | "nll"): Tensor =>
    parts.length === 1 ? first[name] : sum(concat(parts.map((part) => scale(view(part[name], [1]), part.numPairs / numPairs)))); // []
  const ofPairs = Object.keys(first.ofPairs).map((name) => [name, concat(parts.map((part) => part.ofPairs[name]!))] as const); // [B] each
  return { loss: mean("loss"), nll: mean("nll"), ...Object.fromEntries(ofPairs) };
}

/** A row of which every token is scored but the first. */
function withPromptScored({ promptIds, completionIds }: ScoredRow): ScoredRow {
  return { promptIds: [], completionIds: [...promptIds, ...completionIds] };
}
