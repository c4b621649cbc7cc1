import { readFixtureJson } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { dpoLossPlain, type DpoLossOptions, type FDivergenceType } from "../plain.js";

interface Batch {
  logps: number[];
  ref_logps: number[];
  completion_tokens: number[];
}
interface Case {
  arguments: {
    loss_type?: DpoLossOptions["lossType"];
    loss_weights?: number[];
    label_smoothing?: number;
    beta?: number;
    f_divergence_type?: FDivergenceType;
    f_alpha_divergence_coef?: number;
    ld_alpha?: number;
    use_weighting?: boolean;
  };
  loss: number;
  metrics: Record<string, number>;
}

const batch = readFixtureJson<Batch>("dpo", "losses", "batch.json");
const cases = readFixtureJson<Record<string, Case>>("dpo", "losses", "losses.json");
const half = <T>(values: T[]): [chosen: T[], rejected: T[]] => [values.slice(0, values.length / 2), values.slice(values.length / 2)];

// Those that read single tokens or logits are held to trl where there are some, in `trainer`.
const ofSequences = Object.entries(cases).filter(([, { arguments: args }]) => args.ld_alpha === undefined && !args.use_weighting);

it.each(ofSequences)("%s has trl's loss and metrics", (_name, { arguments: args, loss, metrics }) => {
  const [policyChosenLogProbs, policyRejectedLogProbs] = half(batch.logps);
  const [refChosenLogProbs, refRejectedLogProbs] = half(batch.ref_logps);
  const [chosenLengths, rejectedLengths] = half(batch.completion_tokens);
  const result = dpoLossPlain({
    policyChosenLogProbs,
    policyRejectedLogProbs,
    refChosenLogProbs,
    refRejectedLogProbs,
    chosenLengths,
    rejectedLengths,
    ...(args.loss_type && { lossType: args.loss_type }),
    ...(args.loss_weights && { lossWeights: args.loss_weights }),
    ...(args.beta !== undefined && { beta: args.beta }),
    ...(args.label_smoothing !== undefined && { labelSmoothing: args.label_smoothing }),
    ...(args.f_divergence_type && { fDivergenceType: args.f_divergence_type }),
    ...(args.f_alpha_divergence_coef !== undefined && { fAlphaDivergenceCoef: args.f_alpha_divergence_coef }),
  });
  // trl computed in float32.
  expect(Math.abs(result.loss - loss)).toBeLessThan(1e-6 * Math.max(1, loss));
  for (const [name, value] of Object.entries(result.metrics))
    expect(Math.abs((value as number) - metrics[name]!), name).toBeLessThan(1e-6 * Math.max(1, Math.abs(metrics[name]!)));
});

it("the batch has the pairs of the cases", () => {
  expect(batch.logps.length).toBe(16);
  expect(ofSequences.length).toBeGreaterThan(20);
});
