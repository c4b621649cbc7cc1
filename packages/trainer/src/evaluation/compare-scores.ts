import { bootstrapMean, type BootstrapOptions, type Interval } from "./bootstrap.js";
import { marginOf, pairsOf, type AnswerScore, type Measure } from "./answer-score.js";
import { signTest } from "./sign-test.js";

/** How two models are compared. */
export interface CompareOptions extends BootstrapOptions {
  /** `rewards` only where both have the same reference and neither is it. */
  by: Measure;
}

/** One row as two models see it. */
export interface ComparedRow {
  /** Place in the data. */
  sourceIndex: number;
  /** What each makes of it, see {@link Comparison}. */
  value: number;
  againstValue: number;
  /** The first minus the other: above 0 the first does better. */
  difference: number;
}

/**
 * Two models on the same rows. The value of a row is the margin of a pair; the reward of a single answer, with its sign turned where the label is false;
 * of an answer without a label its mean log-probability a token. Larger is better in each case.
 */
export interface Comparison {
  /** What values are made of. */
  by: Measure;
  /** What a row is. */
  kind: "pairs" | "labelled" | "unlabelled";
  rows: ComparedRow[];
  /** Rows on which the first is better, the other is, and neither. */
  wins: number;
  losses: number;
  ties: number;
  /** (wins + ties / 2) / rows */
  winRate: number;
  /** Mean of the differences, with the interval of a paired bootstrap: rows are drawn, each with both values. */
  difference: Interval;
  /** Two-sided p-value of wins against losses, exact. */
  signTestP: number;
  /** Of pairs: how many each gets right that the other does not, and McNemar's exact test of the two. */
  accuracy: { onlyFirst: number; onlyAgainst: number; mcnemarP: number } | undefined;
}

/** Compares what two models say of rows that both were given; rows that one of them dropped are left out. Throws RangeError where none is left. */
export function compareScores(
  first: readonly AnswerScore[],
  against: readonly AnswerScore[],
  { by, ...bootstrap }: CompareOptions,
): Comparison {
  const kind = pairsOf(first).length > 0 ? "pairs" : first.some(({ label }) => label !== undefined) ? "labelled" : "unlabelled";
  const others = new Map(valuesOf(against, kind, by));
  const rows = valuesOf(first, kind, by).flatMap(([sourceIndex, value]): ComparedRow[] => {
    const againstValue = others.get(sourceIndex);
    return againstValue === undefined ? [] : [{ sourceIndex, value, againstValue, difference: value - againstValue }];
  });
  if (rows.length === 0) throw new RangeError("compareScores: no row was scored by both; expected at least one");
  const count = (holds: (row: ComparedRow) => boolean): number => rows.filter(holds).length;
  const wins = count(({ difference }) => difference > 0);
  const losses = count(({ difference }) => difference < 0);
  const ties = rows.length - wins - losses;
  const onlyFirst = count(({ value, againstValue }) => value > 0 && !(againstValue > 0));
  const onlyAgainst = count(({ value, againstValue }) => againstValue > 0 && !(value > 0));
  return {
    by,
    kind,
    rows,
    wins,
    losses,
    ties,
    winRate: (wins + ties / 2) / rows.length,
    difference: bootstrapMean(
      rows.map((row) => row.difference),
      bootstrap,
    ),
    signTestP: signTest(wins, losses),
    accuracy: kind === "pairs" ? { onlyFirst, onlyAgainst, mcnemarP: signTest(onlyFirst, onlyAgainst) } : undefined,
  };
}

/** The value of each row by its place in the data, in that order. */
function valuesOf(scores: readonly AnswerScore[], kind: Comparison["kind"], by: Measure): [sourceIndex: number, value: number][] {
  if (kind === "pairs") return pairsOf(scores).map((pair) => [pair.chosen.sourceIndex, marginOf(pair, by)]);
  return scores
    .map((score): [number, number] => {
      if (kind === "unlabelled") return [score.sourceIndex, score.logProb / Math.max(1, score.numTokens)];
      return [score.sourceIndex, (score.label === false ? -1 : 1) * (by === "rewards" ? score.reward! : score.logProb)];
    })
    .sort(([a], [b]) => a - b);
}
