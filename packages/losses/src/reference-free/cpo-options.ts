import { excerpt } from "@kto/core";
import { libraryText, type RuleMistake } from "@kto/core/config";
import { LossInputError } from "../errors.js";

/** `loss_type` of trl.experimental's CPO trainer. */
export const cpoLossTypes = ["sigmoid", "hinge", "ipo", "simpo", "alphapo"] as const;

export type CpoLossType = (typeof cpoLossTypes)[number];

/** Which loss, and its numbers. */
export interface CpoLossOptions {
  /** default "sigmoid" */
  lossType?: CpoLossType;
  /** default 0.1; SimPO takes 2 and more */
  beta?: number;
  /** Share of pairs taken to be labelled the wrong way round; read by sigmoid, simpo and alphapo; default 0 */
  labelSmoothing?: number;
  /** Weight of the chosen answers' negative log-likelihood; default 1, and 0 in SimPO as published; with alphapo always 0 */
  cpoAlpha?: number;
  /** The margin γ of simpo and alphapo, in rewards; default 0.5 */
  simpoGamma?: number;
  /** AlphaPO's α, which bends the rewards of every loss; default 0, which leaves them as they are */
  alpha?: number;
}

/** −αS from which on e^(−αS) is no f32 number. */
export const largestExponent = 88;

/** Losses whose log-probabilities are means over tokens. */
const perToken: readonly CpoLossType[] = ["ipo", "simpo", "alphapo"];
const smoothed: readonly CpoLossType[] = ["sigmoid", "simpo", "alphapo"];

/** Options with nothing left out, and whether the loss reads means over tokens. Throws LossInputError. */
export function checkCpoOptions(operation: string, options: CpoLossOptions): Required<CpoLossOptions> & { isPerToken: boolean } {
  const { lossType = "sigmoid", beta = 0.1, labelSmoothing = 0, cpoAlpha = 1, simpoGamma = 0.5, alpha = 0 } = options;
  const refuse = (field: string, expected: string, got: unknown): never => {
    throw new LossInputError(`${operation}: ${field} is not usable; expected ${expected}, got ${excerpt(got)}`, { field });
  };
  if (!cpoLossTypes.includes(lossType)) refuse("lossType", `one of ${cpoLossTypes.join(", ")}`, lossType);
  if (!(Number.isFinite(beta) && beta > 0)) refuse("beta", "a number above 0", beta);
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) refuse("labelSmoothing", "a number of at least 0 and below 1", labelSmoothing);
  for (const [field, value] of Object.entries({ cpoAlpha, simpoGamma, alpha }))
    if (!Number.isFinite(value)) refuse(field, "a finite number", value);
  const [mistake] = cpoContradictions({ lossType, labelSmoothing });
  if (mistake)
    throw new LossInputError(
      libraryText(operation, { kind: "unusable", place: mistake.field, ...mistake }, ["lossType", "labelSmoothing"]),
      mistake,
    );
  return {
    lossType,
    beta,
    labelSmoothing,
    cpoAlpha: lossType === "alphapo" ? 0 : cpoAlpha,
    simpoGamma,
    alpha,
    isPerToken: perToken.includes(lossType),
  };
}

/** What contradicts what in options that are each usable. */
export function cpoContradictions({ lossType, labelSmoothing }: { lossType: CpoLossType; labelSmoothing: number }): RuleMistake[] {
  if (labelSmoothing === 0 || smoothed.includes(lossType)) return [];
  return [
    {
      field: "labelSmoothing",
      problem: `not read by the loss ${lossType}`,
      expected: `0, or one of the losses ${smoothed.join(", ")}`,
      got: String(labelSmoothing),
    },
  ];
}
