import { bootstrapInterval, bootstrapMean, mean, type BootstrapOptions, type Interval } from "./bootstrap.js";
import { marginOf, pairsOf, type AnswerScore, type Measure, type PairScore } from "./answer-score.js";

/** How preference metrics are made. */
export interface PreferenceOptions extends BootstrapOptions {
  /** Whether rewards say anything: not those of a model that is its own reference, which are 0. */
  hasRewards: boolean;
}

/**
 * How well answers are told apart, each number with its bootstrap interval under `_low` and `_high`. All are over rows, while trl's `eval_rewards/*` are means over
 * batches.
 *
 * Of pairs: `eval_preference/accuracy`, the share whose chosen answer has the larger reward, a tie being none; `eval_preference/margin`, the mean of
 * chosen − rejected; and `eval_preference/logps_accuracy`, `eval_preference/logps_margin`, the same by log-probabilities alone (nats). Of single answers with labels:
 * `eval_preference/auc`, the share of (desirable, undesirable) with the larger reward on the desirable one, ties counting half; and
 * `eval_preference/margin`, the difference of the two means. Nothing of answers without labels, or all with the same.
 */
export function preferenceMetrics(scores: readonly AnswerScore[], options: PreferenceOptions): Record<string, number> {
  const pairs = pairsOf(scores);
  if (pairs.length > 0)
    return {
      "eval_preference/pairs": pairs.length,
      ...(options.hasRewards && pairMetrics(pairs, "rewards", "", options)),
      ...pairMetrics(pairs, "logps", "logps_", options),
    };
  const rewardsOf = (label: boolean): number[] => scores.flatMap((score) => (score.label === label ? [score.reward ?? NaN] : []));
  const classes = [rewardsOf(true), rewardsOf(false)];
  if (!options.hasRewards || classes.some(({ length }) => length === 0)) return {};
  return {
    ...named(
      "auc",
      bootstrapInterval(classes, ([desirable, undesirable]) => areaUnderCurve(desirable!, undesirable!), options),
    ),
    ...named(
      "margin",
      bootstrapInterval(classes, ([desirable, undesirable]) => mean(desirable!) - mean(undesirable!), options),
    ),
  };
}

/**
 * The share of pairs (a, b) with a > b, those with a = b counting half: by ranks, in n log n.
 *
 *   auc = (Σ ranks of positives − m (m + 1) / 2) / (m n),  equal values sharing the mean of their ranks
 *
 * @see Mann and Whitney 1947
 */
export function areaUnderCurve(positives: ArrayLike<number>, negatives: ArrayLike<number>): number {
  const [up, down] = [Float64Array.from(positives).sort(), Float64Array.from(negatives).sort()];
  let [below, equal, won] = [0, 0, 0];
  for (const value of up) {
    while (below < down.length && down[below]! < value) below++;
    equal = Math.max(equal, below);
    while (equal < down.length && value === down[equal]) equal++;
    won += below + (equal - below) / 2;
  }
  return won / (up.length * down.length);
}

function pairMetrics(pairs: readonly PairScore[], by: Measure, prefix: string, options: BootstrapOptions): Record<string, number> {
  const margins = pairs.map((pair) => marginOf(pair, by));
  const isRight = margins.map((margin) => (margin > 0 ? 1 : 0));
  return {
    ...named(`${prefix}accuracy`, bootstrapMean(isRight, options)),
    ...named(`${prefix}margin`, bootstrapMean(margins, options)),
  };
}

function named(name: string, { estimate, low, high }: Interval): Record<string, number> {
  const key = `eval_preference/${name}`;
  return { [key]: estimate, [`${key}_low`]: low, [`${key}_high`]: high };
}
