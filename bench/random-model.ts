import { nf4ByteLengths, quantizeNf4, type Nf4Weight } from "@kto/nf4";
import { Qwen2ForCausalLM, weightSpecs, type Qwen2Config } from "@kto/qwen2";
import {
  f16BitsToNumber,
  numberToF16Bits,
  sizeOf,
  TensorSlabs,
  type Device,
  type FloatDtype,
  type Tensor,
  type TensorRegion,
  type TensorSpace,
} from "@kto/tensor";

/** DeepSeek-R1-Distill-Qwen-1.5B's shape: 1,777,088,000 parameters. */
export const shape1b5: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: 151_936,
  hiddenSize: 1536,
  intermediateSize: 8960,
  numHiddenLayers: 28,
  numAttentionHeads: 12,
  numKeyValueHeads: 2,
  headDim: 128,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 131_072,
  tieWordEmbeddings: false,
  eosTokenId: undefined,
};

const blockElements = 2 ** 22;

/** The same with its linear layers in four bits with double quantisation; every layer has the same values. */
export async function randomFourBitModel(device: Device, config: Qwen2Config): Promise<Qwen2ForCausalLM> {
  const bits = randomBits();
  const [weights, quantized] = [new Map<string, Tensor>(), new Map<string, Nf4Weight>()];
  using slabs = new TensorSlabs(device, 0);
  const specs = weightSpecs(config);
  const regions = new Map<string, TensorRegion>();
  for (const { name, shape, kind, linear, together = name } of specs) {
    const group = specs.filter((spec) => (spec.together ?? spec.name) === together);
    if (linear === undefined) {
      if (kind === "bias" && !regions.has(together)) regions.set(together, slabs.region(group.map((spec) => 4 * sizeOf(spec.shape))));
      const target = (regions.get(together) ?? slabs).empty(shape, kind === "matrix" ? "f16" : "f32", name);
      const source = kind === "matrix" ? bits : new Uint16Array(new Float32Array(target.size).fill(kind === "norm" ? 1 : 0).buffer);
      for (let start = 0; start < target.byteLength; start += source.byteLength) {
        const part = new Uint8Array(source.buffer, 0, Math.min(source.byteLength, target.byteLength - start));
        device.writeBytes(target, part, start);
      }
      weights.set(name, target);
      continue;
    }
    if (!regions.has(together))
      regions.set(together, slabs.region(group.flatMap((spec) => nf4ByteLengths(sizeOf(spec.shape), { doubleQuant: true }))));
    const chunks = (function* () {
      for (let left = sizeOf(shape); left > 0; left -= bits.length) {
        const part = bits.subarray(0, Math.min(left, bits.length));
        yield new Uint8Array(part.buffer, 0, part.byteLength);
      }
    })();
    const options = {
      shape: shape as [number, number],
      dtype: "float16",
      doubleQuant: true,
      label: name,
      slabs: regions.get(together)!,
    } as const;
    quantized.set(name, await quantizeNf4(device, { ...options, chunks }));
  }
  for (const region of regions.values()) region.dispose();
  return new Qwen2ForCausalLM(config, weights, { device, dtype: "f16", quantized });
}

/**
 * A model of that shape with weights of standard deviation 0.02, the same values in f16 and f32. They repeat every four million elements, at
 * shifted places in each tensor, so that making 3.5 GB takes seconds.
 */
export function randomModel(device: Device, config: Qwen2Config, dtype: FloatDtype): Qwen2ForCausalLM {
  const bits = randomBits();
  const values = Float32Array.from(bits, f16BitsToNumber);
  const weights = new Map<string, Tensor>();
  using slabs = new TensorSlabs(device, 0);
  const specs = weightSpecs(config);
  const regions = new Map<string, TensorRegion>();
  const spaceOf = (group: string | undefined): TensorSpace => {
    if (group === undefined) return slabs;
    const bytes = specs.flatMap(({ together, shape, kind }) =>
      together === group ? [sizeOf(shape) * (kind === "matrix" && dtype === "f16" ? 2 : 4)] : [],
    );
    if (!regions.has(group)) regions.set(group, slabs.region(bytes));
    return regions.get(group)!;
  };
  specs.forEach(({ name, shape, kind, together }, index) => {
    const target = spaceOf(together).empty(shape, kind === "matrix" ? dtype : "f32", name);
    weights.set(name, target);
    if (kind !== "matrix") {
      const small = new Float32Array(target.size).fill(kind === "norm" ? 1 : 0);
      device.writeBytes(target, new Uint8Array(small.buffer));
      return;
    }
    const source = dtype === "f16" ? bits : values;
    for (let start = 0; start < target.size;) {
      const from = (start === 0 ? index * 65_536 : 0) % blockElements;
      const count = Math.min(blockElements - from, target.size - start);
      const part = source.subarray(from, from + count);
      device.writeBytes(target, new Uint8Array(part.buffer, part.byteOffset, part.byteLength), start * part.BYTES_PER_ELEMENT);
      start += count;
    }
  });
  for (const region of regions.values()) region.dispose();
  return new Qwen2ForCausalLM(config, weights, { device, dtype });
}

/** N(0, 0.02²) as f16 bits, from a fixed seed. */
function randomBits(): Uint16Array<ArrayBuffer> {
  let state = 12_345;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Uint16Array.from({ length: blockElements }, () =>
    numberToF16Bits(0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())),
  );
}
