import { DtypeError, FormatError, toFloat16, toFloat32, type TensorReader } from "@kto/safetensors";
import { ShapeError, sizeOf, type Device, type FloatDtype, type Shape, type Tensor } from "@kto/tensor";
import type { Qwen2Config } from "./config.js";

/** Where a weight is and what it must look like. `operand` weights take the model's dtype; the others stay f32. */
export interface WeightSpec {
  name: string;
  shape: Shape;
  operand: boolean;
}

/** Every tensor of a Qwen2 checkpoint, in the order of the forward pass. */
export function weightSpecs(config: Qwen2Config): WeightSpec[] {
  const { hiddenSize, intermediateSize, vocabSize, headDim } = config;
  const querySize = config.numAttentionHeads * headDim;
  const keyValueSize = config.numKeyValueHeads * headDim;
  const specs: WeightSpec[] = [{ name: "model.embed_tokens.weight", shape: [vocabSize, hiddenSize], operand: true }];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const at = `model.layers.${layer}`;
    specs.push({ name: `${at}.input_layernorm.weight`, shape: [hiddenSize], operand: false });
    for (const [projection, outFeatures] of [
      ["q_proj", querySize],
      ["k_proj", keyValueSize],
      ["v_proj", keyValueSize],
    ] as const) {
      specs.push({ name: `${at}.self_attn.${projection}.weight`, shape: [outFeatures, hiddenSize], operand: true });
      specs.push({ name: `${at}.self_attn.${projection}.bias`, shape: [outFeatures], operand: false });
    }
    specs.push({ name: `${at}.self_attn.o_proj.weight`, shape: [hiddenSize, querySize], operand: true });
    specs.push({ name: `${at}.post_attention_layernorm.weight`, shape: [hiddenSize], operand: false });
    specs.push({ name: `${at}.mlp.gate_proj.weight`, shape: [intermediateSize, hiddenSize], operand: true });
    specs.push({ name: `${at}.mlp.up_proj.weight`, shape: [intermediateSize, hiddenSize], operand: true });
    specs.push({ name: `${at}.mlp.down_proj.weight`, shape: [hiddenSize, intermediateSize], operand: true });
  }
  specs.push({ name: "model.norm.weight", shape: [hiddenSize], operand: false });
  if (!config.tieWordEmbeddings) specs.push({ name: "lm_head.weight", shape: [vocabSize, hiddenSize], operand: true });
  return specs;
}

/** How much of a model is on the device. */
export interface LoadProgress {
  loadedBytes: number;
  totalBytes: number;
  name: string;
}

/** Options of `loadWeights`. */
export interface LoadWeightsOptions {
  device: Device;
  dtype: FloatDtype;
  signal?: AbortSignal;
  onProgress?(progress: LoadProgress): void;
}

/**
 * Streams the weights to the device in pieces, converting on the way, so that no second copy of the model exists in memory. Rounds to nearest even.
 * Throws FormatError for a missing tensor, ShapeError where the file contradicts `config.json`, DtypeError naming a tensor with a value that f16 cannot hold.
 */
export async function loadWeights(
  reader: TensorReader,
  config: Qwen2Config,
  { device, dtype, signal, onProgress }: LoadWeightsOptions,
): Promise<Map<string, Tensor>> {
  const specs = weightSpecs(config);
  for (const { name, shape } of specs) checkShapeOnDisk(reader, name, shape);
  const totalBytes = specs.reduce((total, { name }) => total + reader.tensors.get(name)!.byteLength, 0);
  const weights = new Map<string, Tensor>();
  let loadedBytes = 0;
  try {
    for (const { name, shape, operand } of specs) {
      signal?.throwIfAborted();
      const info = reader.tensors.get(name)!;
      const target = device.unscoped(() => device.empty(shape, operand ? dtype : "f32", name));
      weights.set(name, target);
      const elementBytes = info.byteLength / Math.max(1, sizeOf(shape));
      let element = 0;
      for await (const chunk of reader.stream(name)) {
        signal?.throwIfAborted();
        writeConverted(target, chunk, info.dtype, element);
        element += chunk.byteLength / elementBytes;
        loadedBytes += chunk.byteLength;
        onProgress?.({ loadedBytes, totalBytes, name });
      }
    }
    await device.sync();
    return weights;
  } catch (error) {
    for (const tensor of weights.values()) tensor.dispose();
    throw error;
  }
}

function writeConverted(target: Tensor, chunk: Uint8Array, diskDtype: Parameters<typeof toFloat32>[1], element: number): void {
  const half = target.dtype === "f16";
  const { values, overflow } = half ? toFloat16(chunk, diskDtype) : toFloat32(chunk, diskDtype);
  if (overflow) {
    throw new DtypeError(
      `load: ${target.label}: element ${element + overflow.index} does not fit ${target.dtype}; expected at most ${half ? 65504 : "3.4e38"} in magnitude, got ${overflow.value}; load with dtype "f32"`,
      { dtype: target.dtype },
    );
  }
  target.device.writeBytes(target, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), element * (half ? 2 : 4));
}

function checkShapeOnDisk(reader: TensorReader, name: string, shape: Shape): void {
  const info = reader.tensors.get(name);
  if (!info) {
    const similar = [...reader.tensors.keys()].some((key) => key.includes("quant_state") || key.includes("absmax"));
    throw new FormatError(
      `load: ${name} is missing from the checkpoint; expected shape [${shape.join(", ")}]${similar ? "; the checkpoint is quantised, take the model's 16-bit repository" : ""}`,
      {
        tensor: name,
      },
    );
  }
  if (info.shape.length !== shape.length || info.shape.some((size, index) => size !== shape[index])) {
    throw new ShapeError(`load: ${name} contradicts config.json; expected [${shape.join(", ")}], got [${info.shape.join(", ")}]`);
  }
  if (!/^(F64|F32|F16|BF16|F8_E4M3|F8_E5M2)$/.test(info.dtype)) {
    throw new DtypeError(`load: ${name} has a dtype that is no plain float; expected F32, F16 or BF16, got ${info.dtype}`, {
      dtype: info.dtype,
    });
  }
}
