import type { DataRow } from "@kto/datasets";
import { Qwen2ForCausalLM, type Qwen2Config } from "@kto/qwen2";
import type { Device } from "@kto/tensor";

/** A decoder of two layers and 37 tokens. */
export const tinyConfig: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: 37,
  hiddenSize: 24,
  intermediateSize: 40,
  numHiddenLayers: 2,
  numAttentionHeads: 3,
  numKeyValueHeads: 1,
  headDim: 8,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 64,
  tieWordEmbeddings: true,
  eosTokenId: undefined,
};

/** That decoder with seeded weights; its caller's to dispose. */
export function tinyModel(device: Device): Qwen2ForCausalLM {
  const model = Qwen2ForCausalLM.initialize(tinyConfig, { device, random: seededNormals(1), std: 0.3 });
  device.scope(() => model.hiddenStates(model.packRows([[1]]))); // makes the tables of positions, which stay
  return model;
}

/** Rows whose good answers repeat the prompt's first token and whose bad ones do not. */
export function tinyRows(count: number): DataRow[] {
  return Array.from({ length: count }, (_, row) => {
    const first = 1 + ((row * 7) % 30);
    const label = row % 3 !== 0;
    return {
      prompt_ids: [first, 31 + (row % 3), ...(row % 4 === 0 ? [5, 6] : [])],
      completion_ids: label ? [first, first, 36] : [(first + 11) % 30, 36],
      label,
    };
  });
}

/** Standard normals, seeded. */
export function seededNormals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
