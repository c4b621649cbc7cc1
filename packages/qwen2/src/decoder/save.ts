import type { Store } from "@kto/core";
import { nf4Contents } from "@kto/nf4";
import { byteSize, type Device, type Tensor } from "@kto/tensor";
import type { DecoderForCausalLM } from "./model.js";
import { configuredDtype, formatSavedConfig, quantizationOf, type SaveDtype } from "./save-config.js";
import type { NamedTensor } from "./shards.js";
import { decoderWeightSpecs } from "./weight-specs.js";
import { diskDtypes, expectSaveDtype, savedBytes, writeCheckpoint, type WriteCheckpointOptions } from "./write-checkpoint.js";

/** Options of `savePretrained`. */
export interface SavePretrainedOptions extends WriteCheckpointOptions {
  /** Dtype of all weights but those in four bits, which stay as they are; default what config.json says, else that of the model's matrices. */
  dtype?: SaveDtype | undefined;
}

/** Bytes of a tensor that are read from the device at a time: all that the host holds of a weight in 16 or 32 bits. */
const pieceBytes = 16 * 2 ** 20;

/**
 * Writes a model as `writeCheckpoint` does. Weights are as they are now: adapters are not in them unless they were merged. Rounds to nearest even. config.json says whether head and embedding are tied, whatever it said before. A tied head is not written.
 *
 * Throws ArgumentError for an unknown dtype, DtypeError for a value that `dtype` cannot hold, and as `writeCheckpoint`.
 */
export async function savePretrained(
  model: DecoderForCausalLM,
  store: Store,
  { dtype = configuredDtype(model.configJson) ?? model.dtype, ...options }: SavePretrainedOptions = {},
): Promise<void> {
  expectSaveDtype(dtype);
  const { configJson, isTied, outputEmbedding, numParameters } = model;
  const states = Array.from(model.quantizedWeights, ([name, { state }]) => [name.replace(/\.weight$/, ""), state] as const);
  const quantization = quantizationOf(configJson, { paths: [...model.linearLayers.keys()], states: new Map(states), outputEmbedding });
  const config = formatSavedConfig(configJson, { dtype, isTied, quantization });
  await writeCheckpoint(store, { tensors: tensorsOf(model, dtype), numParameters, config }, options);
}

/** What a checkpoint of the model holds, by the names on disk, read from the device when its turn comes. */
function tensorsOf(model: DecoderForCausalLM, dtype: SaveDtype): NamedTensor[] {
  const { input, output } = model.embeddings;
  const embeddings = new Map([
    [`${model.architecture.outputEmbedding}.weight`, output],
    [`${model.architecture.embedding}.weight`, input],
  ]);
  const specs = decoderWeightSpecs(model.architecture, { ...model.config, tieWordEmbeddings: model.isTied });
  return specs.flatMap(({ name, shape }): NamedTensor[] => {
    const quantized = model.quantizedWeights.get(name);
    if (quantized) return nf4Contents(name, quantized);
    const weight = embeddings.get(name)?.weight ?? model.weights.get(name)!;
    return [[name, { dtype: diskDtypes[dtype], shape: [...shape], data: () => converted(weight, name, dtype) }]];
  });
}

/** The elements of a weight in a dtype of the file, piece by piece. */
async function* converted(weight: Tensor, name: string, dtype: SaveDtype): AsyncGenerator<Uint8Array> {
  const { device } = weight;
  const from = weight.dtype === "f16" ? "f16" : "f32";
  const step = pieceBytes / byteSize(from);
  for (let first = 0; first < weight.size; first += step) {
    const size = Math.min(step, weight.size - first);
    const bytes = await readPiece(device, weight, first, size);
    yield from === dtype ? bytes : savedBytes(bytes, { from, to: dtype, name, first });
  }
}

async function readPiece(device: Device, weight: Tensor, first: number, size: number): Promise<Uint8Array> {
  const offset = weight.byteOffset + first * byteSize(weight.dtype);
  using piece = device.unscoped(() => device.viewOf(weight, [size], offset, weight.label));
  return device.readBytes(piece);
}
