import { FormatError } from "@kto/core";
import type { DecoderConfig } from "@kto/qwen2";
import type { BaseWeights } from "./base-weights.js";

/** What two configs of one model agree in, by the names in config.json. */
const agreeing: readonly (readonly [field: keyof DecoderConfig, name: string])[] = [
  ["modelType", "model_type"],
  ["vocabSize", "vocab_size"],
  ["hiddenSize", "hidden_size"],
  ["intermediateSize", "intermediate_size"],
  ["numHiddenLayers", "num_hidden_layers"],
  ["numAttentionHeads", "num_attention_heads"],
  ["numKeyValueHeads", "num_key_value_heads"],
  ["headDim", "head_dim"],
  ["rmsNormEps", "rms_norm_eps"],
  ["ropeTheta", "rope_theta"],
  ["ropeScaling", "rope_scaling"],
];

/** Rows of a layer that are compared. */
const rowsCompared = 32;

/**
 * The error of NF4 is 0.09 of a normally distributed weight and rarely more than 0.12; weights of different models differ by 1.4 of their size, those of a
 * model and one trained on from it by some hundredths.
 */
const mostDifferent = 0.25;

/** Throws FormatError unless the configs are those of one model: the base of a merge in 16 bits and the model that the adapter was trained on. */
export function expectSameConfig(model: DecoderConfig, base16: DecoderConfig): void {
  for (const [field, name] of agreeing) {
    const [expected, got] = [model, base16].map((config) => JSON.stringify(config[field] ?? null));
    if (expected === got) continue;
    throw new FormatError(
      `mergedWeights: the 16-bit base is another model than the one that the adapter is of; expected ${name} ${expected}, got ${got}; give the 16-bit checkpoint that the model was quantised from`,
    );
  }
}

/** Throws FormatError where weights of the 16-bit base are not what was quantised: models of one shape are many. */
export async function expectSameWeights(model: BaseWeights, base16: BaseWeights): Promise<void> {
  const linears = model.specs.filter(({ linear }) => linear !== undefined);
  for (const { name, shape } of [linears[0]!, linears.at(-1)!]) {
    const rows = { from: 0, to: Math.min(rowsCompared, shape[0]!) };
    const [a, b] = [await model.read(name, rows), await base16.read(name, rows)];
    const difference = relativeDifference(a, b);
    if (difference <= mostDifferent) continue;
    throw new FormatError(
      `mergedWeights: the 16-bit base has other weights than the model that the adapter is of; expected ${name} to differ by the error of quantising, 0.1 of its size, got ${difference.toFixed(2)}; give the 16-bit checkpoint that the model was quantised from`,
      { tensor: name },
    );
  }
}

/** √(Σ(a − b)² / Σb²); 0 for equal ones, all zeros included. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0];
  for (let index = 0; index < a.length; index++) {
    difference += (a[index]! - b[index]!) ** 2;
    size += b[index]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
