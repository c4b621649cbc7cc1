import { excerpt } from "@kto/core";
import { LossInputError } from "./errors.js";
import { ktoMetrics, type KtoMetrics } from "./kto-metrics.js";
import { sigmoid } from "./scalars.js";

/** trl's `loss_type` of the KTO trainer. */
export type KtoLossType = "kto" | "apo_zero_unpaired";

/** Sequence log-probabilities of one micro-batch of B rows, and how to weigh them. */
export interface KtoPlainInputs {
  /** [B] nats, log π(y|x): sums over completion tokens */
  policyLogProbs: ArrayLike<number>;
  /** [B] nats, log ρ(y|x) */
  refLogProbs: ArrayLike<number>;
  /** [K] nats, log π(y'|x) of the mismatched rows; `kto` only */
  policyKlLogProbs?: ArrayLike<number>;
  /** [K] nats, log ρ(y'|x) of the mismatched rows; `kto` only */
  refKlLogProbs?: ArrayLike<number>;
  /** [B] true or 1: desirable, false or 0: undesirable */
  labels: ArrayLike<boolean | number>;
  /** default 0.1 */
  beta?: number;
  /** default 1 */
  desirableWeight?: number;
  /** default 1 */
  undesirableWeight?: number;
  /** default "kto" */
  lossType?: KtoLossType;
}

export interface KtoPlainResult {
  /** [B] loss of each row, weight applied */
  readonly losses: Float64Array;
  /** Mean of `losses`, entries that are NaN left out of sum and count. */
  readonly loss: number;
  /** max(0, mean log-ratio of the mismatched rows); 0 for apo_zero_unpaired. A constant for the gradient. */
  readonly kl: number;
  /** [B] β · log-ratio; neither KL nor weight in it */
  readonly rewards: Float64Array;
  /** [B] ∂loss/∂policyLogProbs; NaN where the row's log-ratio is */
  readonly gradient: Float64Array;
  /** What trl logs for this micro-batch. */
  readonly metrics: KtoMetrics;
}

/**
 * KTO and unpaired APO-zero of one micro-batch, in plain float64: the oracle of the GPU version, and a CPU API.
 *
 *   ℓ = policyLogProbs − refLogProbs,  z = ℓ − kl if desirable, kl − ℓ if undesirable
 *   kto:               losses = w · (1 − σ(β z)),  kl = max(0, mean(policyKlLogProbs − refKlLogProbs))
 *   apo_zero_unpaired: the same with kl = 0, that is w · (1 − σ(βℓ)) and w · σ(βℓ)
 *   loss = mean over the rows that are not NaN
 *   ∂loss/∂policyLogProbs = ∓ w β σ(βz) σ(−βz) / N,  − for desirable rows
 *
 * Throws LossInputError for lengths that differ, labels other than true, false, 1 and 0, and missing KL log-probabilities.
 * A NaN log-probability is passed through as trl does: its row leaves the reported loss and poisons the gradient; one among the
 * KL rows makes everything NaN. Stop there.
 *
 * @see arXiv 2402.01306 (KTO), 2408.06266 (APO); trl 1.16, KTOTrainer
 */
export function ktoLossPlain(inputs: KtoPlainInputs): KtoPlainResult {
  const { policyLogProbs, refLogProbs, beta = 0.1, desirableWeight = 1, undesirableWeight = 1 } = inputs;
  const numRows = policyLogProbs.length;
  if (numRows === 0)
    throw new LossInputError("ktoLossPlain: there are no rows; expected policyLogProbs of length ≥ 1, got 0", {
      field: "policyLogProbs",
    });
  expectLength("refLogProbs", refLogProbs, numRows);
  for (const [field, value] of Object.entries({ beta, desirableWeight, undesirableWeight }))
    if (!Number.isFinite(value))
      throw new LossInputError(`ktoLossPlain: ${field} is not a finite number; got ${value}`, {
        field,
      });
  const desirable = readLabels(inputs.labels, numRows);
  const kl = klOf(inputs);

  const losses = new Float64Array(numRows);
  const rewards = new Float64Array(numRows);
  const slopes = new Float64Array(numRows); // ∂losses[row]/∂policyLogProbs[row]
  let lossSum = 0;
  let numCounted = 0;
  for (let row = 0; row < numRows; row++) {
    const logRatio = policyLogProbs[row]! - refLogProbs[row]!;
    const sign = desirable[row] ? 1 : -1;
    const weight = desirable[row] ? desirableWeight : undesirableWeight;
    const argument = beta * sign * (logRatio - kl);
    losses[row] = weight * sigmoid(-argument);
    rewards[row] = beta * logRatio;
    slopes[row] = -sign * weight * beta * sigmoid(argument) * sigmoid(-argument);
    if (Number.isNaN(losses[row]!)) continue;
    lossSum += losses[row]!;
    numCounted++;
  }
  return {
    losses,
    loss: lossSum / numCounted,
    kl,
    rewards,
    gradient: slopes.map((slope) => slope / numCounted),
    metrics: ktoMetrics({ policyLogProbs, rewards, desirable, kl }),
  };
}

function klOf({ lossType = "kto", policyKlLogProbs, refKlLogProbs }: KtoPlainInputs): number {
  if (lossType === "apo_zero_unpaired") return 0;
  if (lossType !== "kto")
    throw new LossInputError(`ktoLossPlain: there is no lossType ${excerpt(lossType)}; expected "kto" or "apo_zero_unpaired"`, {
      field: "lossType",
    });
  for (const [field, values] of Object.entries({ policyKlLogProbs, refKlLogProbs }))
    if (values === undefined || values.length === 0)
      throw new LossInputError(
        `ktoLossPlain: lossType "kto" needs ${field}; expected log-probabilities of the mismatched rows, got none; use "apo_zero_unpaired" for a loss without KL`,
        { field },
      );
  const numRows = policyKlLogProbs!.length;
  expectLength("refKlLogProbs", refKlLogProbs!, numRows);
  let sum = 0;
  for (let row = 0; row < numRows; row++) sum += policyKlLogProbs![row]! - refKlLogProbs![row]!;
  return Math.max(0, sum / numRows); // Math.max keeps NaN
}

function readLabels(labels: ArrayLike<boolean | number>, numRows: number): boolean[] {
  expectLength("labels", labels, numRows);
  return Array.from(labels, (label, row) => {
    if (label === true || label === 1) return true;
    if (label === false || label === 0) return false;
    throw new LossInputError(`ktoLossPlain: labels[${row}] is not a label; expected true, false, 1 or 0, got ${excerpt(label)}`, {
      field: "labels",
    });
  });
}

function expectLength(field: string, values: ArrayLike<unknown>, expected: number): void {
  if (values.length !== expected)
    throw new LossInputError(`ktoLossPlain: ${field} has the wrong length; expected ${expected}, got ${values.length}`, { field });
}
