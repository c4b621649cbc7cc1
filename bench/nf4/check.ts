import { decodeWeights, linear4bit, nf4Tensors, type Nf4Weight, type WeightDtype } from "@kto/nf4";
import { backward, cast, f16BitsToNumber, mul, sum, type Device, type FloatDtype, type Tensor } from "@kto/tensor";
import { expandKernel } from "../../packages/nf4/src/kernels/expand-nf4.wgsl.js";
import { compute, variantsOf, waysOf, type Direction } from "./products.js";
import { dequantizeOnHost, quantizeOnDevice, quantizeOnHost, randomNumbers, roundToHalf, weightBytes, type Shape } from "./weights.js";

const dtypes: readonly WeightDtype[] = ["float32", "float16", "bfloat16"];
const sampledElements = 300;

const verdict = (isRight: boolean): string => (isRight ? "ok " : "BAD");
const countDifferent = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let count = Math.abs(a.length - b.length);
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) count++;
  return count;
};
const wordsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

/**
 * Codes and scales from the device against the host's, and the matrix in full by every variant against the host's, all to the bit; large ones in bf16
 * with double quantisation only.
 */
export async function checkExactly(device: Device, shape: Shape): Promise<void> {
  const count = shape[0] * shape[1];
  const isLarge = count > 4e6;
  for (const dtype of isLarge ? (["bfloat16"] as const) : dtypes) {
    // Rows of very different sizes: some blocks are below what f16 holds exactly.
    const bytes = weightBytes(count, dtype, (i) => 2 ** -(Math.floor(i / shape[1]) % 14));
    for (const doubleQuant of isLarge ? [true] : [true, false]) {
      const host = quantizeOnHost(bytes, dtype, doubleQuant);
      using weight = await quantizeOnDevice(device, bytes, shape, dtype, doubleQuant);
      const tensors = new Map(await nf4Tensors("w", weight));
      const codes = countDifferent(tensors.get("w")!.data, host.packed);
      const scales = host.nested ? host.nested.codes : new Uint8Array(host.absmax.buffer);
      const nested = host.nested ? countDifferent(tensors.get("w.nested_absmax")!.data, new Uint8Array(host.nested.absmax.buffer)) : 0;
      const offset = Number(weight.state.nested?.offset !== host.nested?.offset);
      const wrong = [codes, countDifferent(tensors.get("w.absmax")!.data, scales), nested + offset];
      const full = await checkExpand(device, weight, dequantizeOnHost(host, count, dtype));
      console.log(
        `${verdict([...wrong, ...full.map(([, n]) => n)].every((n) => n === 0))} [${shape.join(", ")}] ${dtype}${doubleQuant ? ", double" : ""}: differ ${wrong[0]} bytes of codes, ${wrong[1]} of scales, ${wrong[2]} nested; in full ${full.map(([name, n]) => `${name} ${n}`).join(", ")}`,
      );
    }
  }
}

/** How many elements each variant gets wrong. */
async function checkExpand(device: Device, weight: Nf4Weight, expected: Float32Array): Promise<[name: string, count: number][]> {
  const results: [string, number][] = [];
  for (const dtype of ["f32", "f16"] as const) {
    const values = dtype === "f16" ? roundToHalf(expected) : expected;
    for (const variant of variantsOf(device.capabilities, expandKernel, { aligned: expected.length % 8 === 0 })) {
      device.recorder.variants.set(expandKernel.name, variant);
      using full = weight.dequantize(dtype);
      device.recorder.variants.delete(expandKernel.name);
      const found = new Float32Array(await full.read());
      results.push([`${variant} ${dtype}`, countDifferent(wordsOf(found), wordsOf(values))]);
    }
  }
  return results;
}

/** Products by every way, and by `linear4bit` as it chooses, against float64 of the dequantised weights on sampled elements. */
export async function checkProducts(device: Device, shape: Shape, rows: readonly number[]): Promise<void> {
  const [n, k] = shape;
  const bytes = weightBytes(n * k, "bfloat16");
  const values = dequantizeOnHost(quantizeOnHost(bytes, "bfloat16", true), n * k, "bfloat16");
  using weight = await quantizeOnDevice(device, bytes, shape);
  for (const operand of device.capabilities.shaderF16 ? (["f16", "f32"] as const) : (["f32"] as const)) {
    const w = operand === "f16" ? roundToHalf(values) : values;
    for (const direction of ["forward", "backward"] as const) {
      const worst = new Map<string, { nmse: number; m: number; isRight: boolean }>();
      for (const m of rows) {
        const sides = direction === "forward" ? { depth: k, width: n } : { depth: n, width: k };
        const { tensor: input, values: inputValues } = randomInput(device, m, sides.depth, operand);
        const expected = sample(m, sides.width, (row, col) => {
          let total = 0;
          for (let i = 0; i < sides.depth; i++)
            total += inputValues[row * sides.depth + i]! * w[direction === "forward" ? col * k + i : i * k + col]!;
          return total;
        });
        const outputType = direction === "forward" ? operand : "f32";
        const limit = (direction === "backward" ? 4 : 1) * (operand === "f32" ? 1e-10 : outputType === "f32" ? 1e-9 : 1e-6);
        const judge = async (way: string, found: Tensor): Promise<void> => {
          const nmse = await errorOf(device, expected, found);
          if (nmse > (worst.get(way)?.nmse ?? -1)) worst.set(way, { nmse, m, isRight: nmse <= limit });
        };
        using output = device.empty([m, sides.width], outputType);
        for (const way of waysOf(device, direction, shape)) {
          device.writeBytes(output, new Uint8Array(output.byteLength).fill(0x3c));
          compute(device, way, { weight, direction, m, input, output });
          await judge(way, output);
        }
        using chosen = byOp(device, weight, direction, { input, operand });
        await judge("linear4bit", chosen);
        input.dispose();
      }
      const parts = [...worst].map(([way, { nmse, m, isRight }]) => `${way} ${nmse.toExponential(1)}${isRight ? "" : ` BAD at ${m} rows`}`);
      console.log(
        `${verdict([...worst.values()].every(({ isRight }) => isRight))} [${shape.join(", ")}] ${operand} ${direction}, rows ${rows.join(" ")}: NMSE ${parts.join(", ")}`,
      );
    }
  }
}

/** The layer as models use it; dx from the tape. */
function byOp(device: Device, weight: Nf4Weight, direction: Direction, { input, operand }: { input: Tensor; operand: FloatDtype }): Tensor {
  if (direction === "forward") return linear4bit(input, weight, undefined, { dtype: operand });
  using x = device.zeros([input.shape[0]!, weight.shape[1]], operand);
  x.requiresGrad = true;
  return device.scope(() => {
    using gradients = backward(sum(mul(linear4bit(x, weight), cast(input, "f32"))));
    return device.copyOf(gradients.get(x)!);
  });
}

/** Numbers of ± 0.25 … 0.5 with all the digits of their dtype. */
function randomInput(device: Device, rows: number, cols: number, dtype: FloatDtype): { tensor: Tensor; values: Float32Array } {
  const next = randomNumbers(rows * cols + 1);
  const count = rows * cols;
  const bits = dtype === "f16" ? new Uint16Array(count) : new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const drawn = next() * 2 ** 32;
    bits[i] = dtype === "f16" ? ((drawn >>> 16) & 0x83ff) | 0x3400 : ((drawn & 0x807fffff) | 0x3e800000) >>> 0;
  }
  const bytes = new Uint8Array(bits.buffer);
  return { tensor: device.fromBytes(bytes, [rows, cols], dtype), values: decodeWeights(bytes, dtype === "f16" ? "float16" : "float32") };
}

function sample(rows: number, cols: number, value: (row: number, col: number) => number): Map<number, number> {
  const entries = Array.from({ length: sampledElements }, (_, i) => {
    const row = i < 4 ? (i & 1) * (rows - 1) : (i * 7919) % rows;
    const col = i < 4 ? (i >> 1) * (cols - 1) : (i * 104_729 + 13) % cols;
    return [row * cols + col, value(row, col)] as const;
  });
  return new Map(entries);
}

/** Normalised mean square error of the sampled elements; infinite where one is not a number. */
async function errorOf(device: Device, expected: ReadonlyMap<number, number>, found: Tensor): Promise<number> {
  const bytes = await device.readBytes(found);
  const half = found.dtype === "f16";
  const bits = half ? new Uint16Array(bytes.buffer, 0, found.size) : new Float32Array(bytes.buffer, 0, found.size);
  let [squares, size] = [0, 0];
  for (const [index, value] of expected) {
    squares += ((half ? f16BitsToNumber(bits[index]!) : bits[index]!) - value) ** 2;
    size += value ** 2;
  }
  return Number.isFinite(squares) ? squares / size : Infinity;
}
