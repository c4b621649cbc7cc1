import { quantizeNf4, type Nf4Weight } from "@kto/nf4";
import { numberToBfloat16 } from "@kto/safetensors";
import { Qwen2ForCausalLM, WeightSpace, weightSpecs, type Qwen2Config, type WeightSpec } from "@kto/qwen2";
import { f16BitsToNumber, numberToF16Bits, sizeOf, type Device, type FloatDtype, type Tensor, type TensorSpace } from "@kto/tensor";

const blockElements = 2 ** 22;

/**
 * A model of that shape with weights of standard deviation 0.02, the same values in f16 and f32. They repeat every four million elements, at
 * shifted places in each tensor, so that making 3.5 GB takes seconds.
 */
export function randomModel(device: Device, config: Qwen2Config, dtype: FloatDtype): Qwen2ForCausalLM {
  const fill = filler(device, dtype);
  const weights = new Map<string, Tensor>();
  const specs = weightSpecs(config);
  using space = new WeightSpace(device, specs, { dtype, formOf: () => "full" });
  specs.forEach((spec, index) => weights.set(spec.name, fill(space.of(spec.name), spec, index)));
  return new Qwen2ForCausalLM(config, weights, { device, dtype });
}

/** The same with its linear layers in four bits with double quantisation, of bf16, as the hub's are. */
export async function randomFourBitModel(device: Device, config: Qwen2Config): Promise<Qwen2ForCausalLM> {
  const bits = randomBits();
  const bfloat16 = Uint16Array.from(bits, (half) => numberToBfloat16(f16BitsToNumber(half)));
  const fill = filler(device, "f16", bits);
  const [weights, quantized] = [new Map<string, Tensor>(), new Map<string, Nf4Weight>()];
  const specs = weightSpecs(config);
  using space = new WeightSpace(device, specs, { dtype: "f16", formOf: ({ linear }) => (linear === undefined ? "full" : "fourBitNested") });
  for (const [index, spec] of specs.entries()) {
    const { name, shape, linear } = spec;
    if (linear === undefined) {
      weights.set(name, fill(space.of(name), spec, index));
      continue;
    }
    const chunks = (function* () {
      for (let left = sizeOf(shape); left > 0; left -= bfloat16.length) {
        const part = bfloat16.subarray(0, Math.min(left, bfloat16.length));
        yield new Uint8Array(part.buffer, 0, part.byteLength);
      }
    })();
    const matrix = { shape: shape as [number, number], dtype: "bfloat16", label: name, slabs: space.of(name) } as const;
    quantized.set(name, await quantizeNf4(device, { ...matrix, doubleQuant: true, chunks }));
  }
  return new Qwen2ForCausalLM(config, weights, { device, dtype: "f16", quantized });
}

/** Makes weights: random matrices, norms of 1, biases of 0. */
function filler(device: Device, dtype: FloatDtype, bits = randomBits()): (space: TensorSpace, spec: WeightSpec, index: number) => Tensor {
  const source = dtype === "f16" ? bits : Float32Array.from(bits, f16BitsToNumber);
  return (space, { name, shape, kind }, index) => {
    const target = space.empty(shape, kind === "matrix" ? dtype : "f32", name);
    if (kind !== "matrix") {
      const small = new Float32Array(target.size).fill(kind === "norm" ? 1 : 0);
      device.writeBytes(target, new Uint8Array(small.buffer));
      return target;
    }
    for (let start = 0; start < target.size;) {
      const from = (start === 0 ? index * 65_536 : 0) % blockElements;
      const count = Math.min(blockElements - from, target.size - start);
      const part = source.subarray(from, from + count);
      device.writeBytes(target, new Uint8Array(part.buffer, part.byteOffset, part.byteLength), start * part.BYTES_PER_ELEMENT);
      start += count;
    }
    return target;
  };
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
