import { getPeftModel, type PeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { cpoLoss, orpoLoss, type CpoLossOptions, type ReferenceFreePairs } from "@kto/losses";
import { dpoMetrics } from "@kto/losses/plain";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { backward, requestDevice, scale, sum, type Device, type Tensor } from "@kto/tensor";
import { fixturePath, readFixtureJson } from "@kto/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { sidesOf } from "../pairs/pair-answers.js";

// ORPO, CPO, SimPO and AlphaPO have no trainer: their losses are held to trl.experimental's here, where there is a model to take gradients of.

interface Case {
  arguments: Record<string, string | number>;
  loss: number;
  grad_norm: number;
  metrics: Record<string, number>;
}
type Batch = Record<`${"chosen" | "rejected"}_${"input_ids" | "attention_mask" | "labels"}`, number[][]>;

const cases = readFixtureJson<{ adapter: string; results: Record<string, Case> }>("dpo", "losses", "reference-free.json");

let device: Device;
let base: Qwen2ForCausalLM;
let model: PeftModel<Qwen2ForCausalLM>;
beforeAll(async () => {
  device = await requestDevice();
  base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const { config, weights } = await loadAdapter(fixturePath(cases.adapter), base);
  model = getPeftModel(base, config, { weights });
});
afterAll(() => {
  model.dispose();
  base.dispose();
  device.dispose();
});

it.each(Object.keys(cases.results))("%s has trl's loss, gradient norm and metrics", async (name) => {
  const expected = cases.results[name]!;
  const {
    beta,
    alpha,
    loss_type: lossType,
    label_smoothing: labelSmoothing,
    cpo_alpha: cpoAlpha,
    simpo_gamma: simpoGamma,
  } = expected.arguments;
  const options = Object.fromEntries(
    Object.entries({ beta, alpha, lossType, labelSmoothing, cpoAlpha, simpoGamma }).filter(([, value]) => value !== undefined),
  ) as CpoLossOptions;
  const chosen = answers(name, "chosen");
  const rejected = answers(name, "rejected");
  const { bucket } = model.activeAdapter;
  using gradients = bucket.like("gradients");
  gradients.clear();
  const values = device.scope(() => {
    const pairs = pairsOf(chosen, rejected);
    const result = name === "orpo" ? withOrpo(chosen, pairs, options) : { ...cpoLoss({ ...pairs, ...options }), logOddsRatio: undefined };
    backward(result.loss, { sink: gradients.sink(bucket, 1) }).dispose();
    return { ...result, loss: result.loss.detach() };
  });
  const read = async (tensor: Tensor): Promise<number[]> => Array.from(await tensor.read());
  const found: Record<string, number> = {
    ...dpoMetrics({
      chosenRewards: await read(values.chosenRewards),
      rejectedRewards: await read(values.rejectedRewards),
      policyChosenLogProbs: await read(values.chosenLogps),
      policyRejectedLogProbs: await read(values.rejectedLogps),
    }),
    nll_loss: (await read(values.nll))[0]!,
  };
  if (values.logOddsRatio) {
    const mean = (numbers: number[]): number => numbers.reduce((total, value) => total + value, 0) / numbers.length;
    found["log_odds_ratio"] = mean(await read(values.logOddsRatio));
    found["log_odds_chosen"] = mean(await read(values.logOddsChosen));
  }
  expectNear(await values.loss.item(), expected.loss, 3e-5);
  const all = await read(gradients.flat);
  expectNear(Math.sqrt(all.reduce((total, value) => total + value ** 2, 0)), expected.grad_norm, 5e-4);
  // trl averages logits/* over the prompt and the padding too; they say nothing of the loss.
  const wanted = Object.entries(expected.metrics).filter(([metric]) => !metric.startsWith("logits/"));
  expect(Object.keys(found).sort()).toEqual(wanted.map(([metric]) => metric).sort());
  for (const [metric, value] of wanted) expectNear(found[metric]!, value, 3e-5, metric);
});

/** One side of the batch that trl's trainer made: prompt and completion by its labels, padding left out. */
function answers(name: string, side: "chosen" | "rejected"): ScoredRow[] {
  const batch = readFixtureJson<Batch>("dpo", "losses", `batch-${name === "orpo" ? "orpo" : "cpo-sigmoid"}.json`);
  return batch[`${side}_input_ids`].map((ids, row) => {
    const isReal = (position: number): boolean => batch[`${side}_attention_mask`][row]![position] === 1;
    const isScored = (position: number): boolean => batch[`${side}_labels`][row]![position] !== -100;
    return {
      promptIds: ids.filter((_id, position) => isReal(position) && !isScored(position)),
      completionIds: ids.filter((_id, position) => isReal(position) && isScored(position)),
    };
  });
}

function pairsOf(chosen: ScoredRow[], rejected: ScoredRow[]): ReferenceFreePairs {
  const [chosenLogProbs, rejectedLogProbs] = sidesOf(
    scoreBatch(
      base,
      chosen.flatMap((row, pair) => [row, rejected[pair]!]),
    ).logProbs,
  );
  const lengths = (rows: ScoredRow[]): Tensor => device.tensor(rows.map(numScoredTokens), [rows.length], "f32");
  return { chosenLogProbs, rejectedLogProbs, chosenLengths: lengths(chosen), rejectedLengths: lengths(rejected) };
}

/** ORPO, with the likelihood of all tokens of the chosen rows. */
function withOrpo(chosen: ScoredRow[], pairs: ReferenceFreePairs, { beta }: CpoLossOptions) {
  const whole = chosen.map(({ promptIds, completionIds }) => ({ promptIds: [], completionIds: [...promptIds, ...completionIds] }));
  const numTokens = whole.reduce((total, row) => total + numScoredTokens(row), 0);
  const nll = scale(sum(scoreBatch(base, whole).logProbs), -1 / numTokens); // []
  return { ...orpoLoss({ ...pairs, nll, ...(beta !== undefined && { beta }) }), nll: nll.detach() };
}

function expectNear(got: number, want: number, tolerance: number, label = ""): void {
  expect(Math.abs(got - want), `${label}: ${got}, expected ${want}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(want)));
}
