import { excerpt } from "@kto/core";
import { libraryText, type RuleMistake } from "@kto/core/config";
import { LossInputError } from "../errors.js";

/** trl's `loss_type` of the DPO trainer. */
export const dpoLossTypes = [
  "sigmoid",
  "hinge",
  "ipo",
  "exo_pair",
  "nca_pair",
  "robust",
  "bco_pair",
  "sppo_hard",
  "aot",
  "aot_unpaired",
  "apo_zero",
  "apo_down",
  "discopop",
  "sigmoid_norm",
  "sft",
] as const;

export type DpoLossType = (typeof dpoLossTypes)[number];

/** trl's `f_divergence_type`. */
export const fDivergenceTypes = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] as const;

export type FDivergenceType = (typeof fDivergenceTypes)[number];

/** Which losses are added up, and their numbers. */
export interface DpoLossOptions {
  /** One loss, or several that are added; default "sigmoid" */
  lossType?: DpoLossType | readonly DpoLossType[];
  /** A weight for each loss; default 1 */
  lossWeights?: readonly number[] | null | undefined;
  /** default 0.1 */
  beta?: number;
  /** Share of pairs taken to be labelled the wrong way round; read by exo_pair, robust, aot and aot_unpaired; default 0 */
  labelSmoothing?: number;
  /** Temperature of discopop's blend; default 0.05 */
  discopopTau?: number;
  /** default "reverse_kl" */
  fDivergenceType?: FDivergenceType;
  /** a of alpha_divergence: 1 is reverse KL, 0 forward KL; default 0.5 */
  fAlphaDivergenceCoef?: number;
}

/** Options with nothing left out. */
export interface CheckedDpoOptions extends Required<Omit<DpoLossOptions, "lossType" | "lossWeights">> {
  terms: { lossType: DpoLossType; weight: number }[];
}

/** The numbers that a single loss reads. */
export type PairLossOptions = Pick<CheckedDpoOptions, "beta" | "labelSmoothing" | "discopopTau">;

const smoothed: readonly DpoLossType[] = ["exo_pair", "robust", "aot", "aot_unpaired"];
const withoutScores: readonly DpoLossType[] = ["aot", "aot_unpaired", "apo_zero", "sft"];

/** Losses whose place i, or mean, is not that of pair i: weights of pairs have no meaning for them. */
const ofNoPair: readonly DpoLossType[] = ["aot", "aot_unpaired", "sft"];

/** Complete options. Throws LossInputError for an unknown loss, a number out of range, and what does not go together. */
export function checkDpoOptions(operation: string, options: DpoLossOptions & { weights?: unknown }): CheckedDpoOptions {
  const { lossType = "sigmoid", lossWeights, beta = 0.1, labelSmoothing = 0, discopopTau = 0.05 } = options;
  const { fDivergenceType = "reverse_kl", fAlphaDivergenceCoef = 0.5 } = options;
  const lossTypes = typeof lossType === "string" ? [lossType] : lossType;
  const checked = { beta, labelSmoothing, discopopTau, fDivergenceType, fAlphaDivergenceCoef };
  const [mistake] = [
    ...unusable(lossTypes, checked),
    ...dpoContradictions({ lossType: lossTypes, lossWeights, ...checked }),
    ...(options.weights === undefined ? [] : weightingContradictions("weights", lossTypes)),
  ];
  if (mistake)
    throw new LossInputError(libraryText(operation, { kind: "unusable", place: mistake.field, ...mistake }, fieldNames), mistake);
  return { ...checked, terms: lossTypes.map((name, index) => ({ lossType: name, weight: lossWeights?.[index] ?? 1 })) };
}

const fieldNames = [
  "weights",
  "lossType",
  "lossWeights",
  "beta",
  "labelSmoothing",
  "discopopTau",
  "fDivergenceType",
  "fAlphaDivergenceCoef",
];

/** Values that no loss takes. */
function unusable(
  lossTypes: readonly string[],
  { beta, labelSmoothing, discopopTau, fDivergenceType, fAlphaDivergenceCoef }: Omit<CheckedDpoOptions, "terms">,
): RuleMistake[] {
  const found: RuleMistake[] = [];
  const expect = (isMet: boolean, field: string, value: unknown, expected: string): void => {
    if (!isMet) found.push({ field, problem: "not usable", expected, got: excerpt(value) });
  };
  for (const name of lossTypes)
    expect((dpoLossTypes as readonly string[]).includes(name), "lossType", name, `one of ${dpoLossTypes.join(", ")}`);
  expect(lossTypes.length > 0, "lossType", lossTypes, "at least one loss");
  expect(Number.isFinite(beta) && beta > 0, "beta", beta, "a number above 0");
  expect(labelSmoothing >= 0 && labelSmoothing < 1, "labelSmoothing", labelSmoothing, "a number of at least 0 and below 1");
  expect(Number.isFinite(discopopTau) && discopopTau > 0, "discopopTau", discopopTau, "a number above 0");
  expect(fDivergenceTypes.includes(fDivergenceType), "fDivergenceType", fDivergenceType, `one of ${fDivergenceTypes.join(", ")}`);
  expect(Number.isFinite(fAlphaDivergenceCoef), "fAlphaDivergenceCoef", fAlphaDivergenceCoef, "a finite number");
  return found;
}

/** What contradicts what in options that are each usable. */
export function dpoContradictions({
  lossType,
  lossWeights,
  labelSmoothing,
  fDivergenceType,
}: {
  lossType: readonly DpoLossType[];
  lossWeights?: readonly number[] | null | undefined;
  labelSmoothing: number;
  fDivergenceType: FDivergenceType;
}): RuleMistake[] {
  const found: RuleMistake[] = [];
  const names = lossType.join(", ");
  const got = String(labelSmoothing);
  if (lossWeights && lossWeights.length !== lossType.length)
    found.push({
      field: "lossWeights",
      problem: "of another count than the losses",
      expected: `${lossType.length}, one for each of {lossType} (${names})`,
      got: String(lossWeights.length),
    });
  else if (lossWeights?.some((weight) => !Number.isFinite(weight)))
    found.push({ field: "lossWeights", problem: "not usable", expected: "finite numbers", got: excerpt(lossWeights) });
  if (lossType.includes("exo_pair") && labelSmoothing === 0)
    found.push({
      field: "labelSmoothing",
      problem: "too small for exo_pair, whose loss has its logarithm",
      expected: "a number above 0",
      got,
      advice: "0.001 is usual",
    });
  if (lossType.includes("robust") && labelSmoothing >= 0.5)
    found.push({ field: "labelSmoothing", problem: "too large for robust, which divides by 1 − 2ε", expected: "a number below 0.5", got });
  found.push(...unreadDpoOptions({ lossType, labelSmoothing, fDivergenceType }));
  return found;
}

/** Options that no loss of these reads. trl takes them in silence; here they are contradictions, unless a caller sets them to what asks for nothing. */
export function unreadDpoOptions({
  lossType,
  labelSmoothing,
  fDivergenceType,
}: {
  lossType: readonly DpoLossType[];
  labelSmoothing: number;
  fDivergenceType: FDivergenceType;
}): RuleMistake[] {
  const found: RuleMistake[] = [];
  const names = lossType.join(", ");
  if (labelSmoothing > 0 && !lossType.some((name) => smoothed.includes(name)))
    found.push({
      field: "labelSmoothing",
      problem: `read by none of the losses (${names})`,
      expected: `0, or one of the losses ${smoothed.join(", ")}`,
      got: String(labelSmoothing),
      advice: 'for pairs with wrong labels take {lossType} "robust"',
    });
  if (fDivergenceType !== "reverse_kl" && lossType.every((name) => withoutScores.includes(name)))
    found.push({
      field: "fDivergenceType",
      problem: `read by none of the losses (${names})`,
      expected: '"reverse_kl", or another loss',
      got: excerpt(fDivergenceType),
    });
  return found;
}

/** Weights of pairs beside losses that are of no single pair; `field` is what asks for them. */
export function weightingContradictions(field: string, lossType: readonly DpoLossType[]): RuleMistake[] {
  const others = lossType.filter((name) => ofNoPair.includes(name));
  if (others.length === 0) return [];
  return [{ field, problem: `without meaning for ${others.join(" and ")}`, expected: "it unset, or losses of single pairs", got: "both" }];
}
