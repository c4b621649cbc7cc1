/**
 * causalAttention on this machine's GPU: every variant against float64, then kernel times forward and backward.
 *
 *   npx tsx --conditions=@kto/source bench/attention.ts
 */
import {
  backward,
  cast,
  causalAttention,
  mul,
  requestDevice,
  segmentBounds,
  sum,
  type Device,
  type FloatDtype,
  type Tensor,
} from "@kto/tensor";
import { attentionCase } from "../packages/testing/src/oracle/causal-attention.js";
import { gradientOf, valuesOf, type OracleCase } from "../packages/testing/src/check/case.js";
import { normalizedMeanSquareError } from "../packages/testing/src/index.js";

const kernels = ["attention", "attentionDq", "attentionDkDv"];
const vectors = (variant: string): Record<string, string> => ({
  causalAttention: "vector",
  ...Object.fromEntries(kernels.map((name) => [name, variant])),
});
const variants: Record<string, Record<string, string>> = { chosen: {}, subgroup: vectors("subgroup"), plain: vectors("plain") };

function force(device: Device, forced: Record<string, string>): void {
  device.recorder.variants.clear();
  for (const [name, variant] of Object.entries(forced)) device.recorder.variants.set(name, variant);
}

/** Normalised mean square errors of the result and of the gradients, for a gradient of this size. */
async function errors(device: Device, oracle: OracleCase, gradientSize: number): Promise<Record<string, string>> {
  const values = valuesOf(oracle);
  const y = oracle.forward(values)["y"]!;
  const dy = gradientOf(y);
  const expected = oracle.vjp!(values, dy);
  const made = device.scope(() => {
    const inputs = Object.fromEntries(
      Object.entries(oracle.inputs).map(([name, { data, shape, dtype }]) => [name, device.tensor(data, shape, dtype)]),
    );
    for (const name of ["q", "k", "v"]) inputs[name]!.requiresGrad = true;
    const out = oracle.run(inputs)["y"]!;
    const gradients = backward(
      sum(
        mul(
          out,
          device.tensor(
            dy.map((value) => value * gradientSize),
            out.shape,
            "f32",
          ),
        ),
      ),
    );
    return { out, q: gradients.take(inputs["q"]!)!, k: gradients.take(inputs["k"]!)!, v: gradients.take(inputs["v"]!)! };
  });
  const result: Record<string, string> = { out: normalizedMeanSquareError(await made.out.read(), y).toExponential(1) };
  for (const name of ["q", "k", "v"] as const) {
    const actual = Float64Array.from(await made[name].read(), (value) => value / gradientSize);
    result[`d${name}`] = normalizedMeanSquareError(actual, expected[name]!).toExponential(1);
  }
  for (const tensor of Object.values(made)) tensor.dispose();
  return result;
}

interface Heads {
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
}

/** Mean milliseconds of each kernel over 20 steps, after 400 ms of the same work. */
async function times(device: Device, lengths: number[], heads: Heads, dtype: FloatDtype): Promise<Record<string, number>> {
  const numTokens = lengths.reduce((a, b) => a + b, 0);
  const make = (rowSize: number): Tensor => {
    const tensor = device.tensor(
      Float32Array.from({ length: numTokens * rowSize }, () => Math.random() * 2 - 1),
      [numTokens, rowSize],
      dtype,
    );
    tensor.requiresGrad = true;
    return tensor;
  };
  const [q, k, v] = [
    make(heads.numHeads * heads.headDim),
    make(heads.numKeyValueHeads * heads.headDim),
    make(heads.numKeyValueHeads * heads.headDim),
  ];
  const bounds = segmentBounds(device, lengths);
  const step = (): void => device.scope(() => backward(sum(cast(causalAttention(q, k, v, { ...heads, ...bounds }), "f32"))).dispose());
  const end = performance.now() + 400;
  do {
    step();
    await device.sync();
  } while (performance.now() < end);
  const steps = device.capabilities.software ? 2 : 20;
  const { timings } = await device.recorder.profile(() => {
    for (let i = 0; i < steps; i++) step();
  });
  for (const tensor of [q, k, v, bounds.starts, bounds.ends]) tensor.dispose();
  return Object.fromEntries(
    timings
      .filter(({ label }) => label.startsWith("attention"))
      .map(({ label, count, totalMs }) => [label.split(" ").slice(0, 2).join(" "), totalMs / count]),
  );
}

const device = await requestDevice();
const { software, shaderF16 } = device.capabilities;
console.log(`${device.capabilities.description}, subgroup matrices: ${device.capabilities.subgroupMatrix.length}`);

const dtypes: FloatDtype[] = shaderF16 ? ["f16", "f32"] : ["f32"];
const shapes = software
  ? [{ lengths: [40, 27], masked: [0, 1], numHeads: 2, numKeyValueHeads: 1, headDim: 32 }]
  : [
      { lengths: [1], numHeads: 2, numKeyValueHeads: 1, headDim: 128 },
      { lengths: [64, 65, 130, 7], masked: [0, 1, 64, 265], numHeads: 12, numKeyValueHeads: 2, headDim: 128 },
      { lengths: [333], masked: [10, 332], numHeads: 4, numKeyValueHeads: 4, headDim: 64, scale: 4 },
      { lengths: [31, 32, 33, 100], numHeads: 6, numKeyValueHeads: 1, headDim: 32 },
      { lengths: [50, 50], numHeads: 2, numKeyValueHeads: 1, headDim: 96 },
    ];
const table: object[] = [];
for (const inputType of dtypes) {
  for (const shape of shapes) {
    for (const [variant, forced] of Object.entries(variants)) {
      for (const gradientSize of [1, 2 ** -30]) {
        force(device, forced);
        const label = `${shape.lengths.join(",")} ${shape.numHeads}/${shape.numKeyValueHeads}×${shape.headDim}`;
        table.push({
          shape: label,
          inputType,
          variant,
          gradientSize,
          ...(await errors(device, attentionCase("bench", { ...shape, inputType }), gradientSize)),
        });
      }
    }
  }
}
console.log(
  "normalised mean square error against float64 (f16: expected ≤ 1e-6 out, 4e-6 gradients; f32: 1e-10, 4e-10; one token has dq = dk = 0)",
);
console.table(table);

for (const lengths of software ? [[70, 70, 80, 80]] : [Array<number>(4).fill(512), Array<number>(4).fill(1024)]) {
  const heads = software ? { numHeads: 4, numKeyValueHeads: 2, headDim: 16 } : { numHeads: 12, numKeyValueHeads: 2, headDim: 128 };
  for (const dtype of dtypes) {
    for (const [variant, forced] of Object.entries(variants)) {
      if (variant === "plain" && !software) continue;
      force(device, forced);
      const result = await times(device, lengths, heads, dtype);
      const flops = lengths.reduce((total, length) => total + (length * (length + 1)) / 2, 0) * heads.numHeads * heads.headDim * 4;
      const total = (isForward: boolean): number =>
        Object.entries(result).reduce((ms, [label, each]) => (/^attention(Matrix)? /.test(label) === isForward ? ms + each : ms), 0);
      const [forward, backwardMs] = [total(true), total(false)];
      console.log(
        `\n${lengths.length}×${lengths[0]} ${dtype} ${variant}: forward ${forward.toFixed(3)} ms (${(flops / forward / 1e9).toFixed(1)} TFLOP/s), backward ${backwardMs.toFixed(3)} ms (${((2.5 * flops) / backwardMs / 1e9).toFixed(1)} TFLOP/s)`,
      );
      for (const [label, ms] of Object.entries(result)) console.log(`  ${label.padEnd(40)} ${ms.toFixed(3)} ms`);
    }
  }
}
device.dispose();
