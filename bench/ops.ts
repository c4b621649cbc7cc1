/**
 * The ops around the matrix products, on this machine's GPU: every oracle case in every variant, then kernel times and bandwidth at the shapes of a
 * 1.5B Qwen2.
 *
 *   npm run bench -- ops            checks, then times
 *   npm run bench -- ops times      times only
 */
import {
  adamwHyper,
  adamwHyperSize,
  adamwStep,
  backward,
  clipFactor,
  embedding,
  full,
  gatherRows,
  gradNorm,
  kernelRegistry,
  linearLogProbs,
  mul,
  requestDevice,
  rmsNorm,
  segmentSum,
  sum,
  swiGlu,
  type Cost,
  type Device,
  type Dtype,
  type Shape,
  type Tensor,
} from "@kto/tensor";
import { checkCase } from "../packages/testing/src/check/check-case.js";
import { oracleCases } from "../packages/testing/src/oracle/index.js";

const device = await requestDevice();
const { software, shaderF16 } = device.capabilities;
console.log(device.capabilities.description);

if (process.argv[2] !== "times") {
  let passed = 0;
  for (const oracle of oracleCases) {
    try {
      if ((await checkCase(device, oracle)).length > 0) passed++;
    } catch (error) {
      console.log(`FAILED ${error instanceof Error ? error.message : String(error)}`);
    }
    device.recorder.variants.clear();
  }
  console.log(`${passed} of ${oracleCases.length} cases agree with float64 in every variant`);
}

const numTokens = software ? 64 : 4096;
const hiddenSize = software ? 128 : 1536;
const intermediateSize = software ? 256 : 8960;
const vocabSize = software ? 512 : 151_936;
const numLabels = software ? 32 : 1024;
const numTrained = software ? 10_000 : 18_464_768;
const half = shaderF16 ? "f16" : "f32";

await bench("rmsNorm f32 → half", () => {
  const [x, weight] = [random([numTokens, hiddenSize], "f32"), random([hiddenSize], "f32")];
  x.requiresGrad = true;
  return [{ x, weight }, () => backwardOf(rmsNorm(x, weight, { eps: 1e-6, dtype: half }))];
});
await bench("rmsNorm with dWeight", () => {
  const [x, weight] = [random([numTokens, hiddenSize], "f32"), random([hiddenSize], "f32")];
  x.requiresGrad = weight.requiresGrad = true;
  return [{ x, weight }, () => backwardOf(rmsNorm(x, weight, { eps: 1e-6 }))];
});
await bench("swiGlu half → half", () => {
  const [gate, up] = [random([numTokens, intermediateSize], half), random([numTokens, intermediateSize], half)];
  gate.requiresGrad = up.requiresGrad = true;
  return [{ gate, up }, () => backwardOf(swiGlu(gate, up, { dtype: half }))];
});
await bench("embedding, gatherRows", () => {
  const table = random([Math.min(vocabSize, 32_768), hiddenSize], "f32");
  table.requiresGrad = true;
  const ids = device.tensor(
    Array.from({ length: numTokens }, (_, i) => (i * 7919) % 997),
    [numTokens],
    "u32",
  );
  const rows = device.tensor(
    Array.from({ length: numLabels }, (_, i) => 2 * i),
    [numLabels],
    "u32",
  );
  return [{ table, ids, rows }, () => backwardOf(gatherRows(embedding(ids, table), rows))];
});
for (const metrics of [false, true]) {
  await bench(`linearLogProbs ${numLabels} × ${hiddenSize} × ${vocabSize}${metrics ? " with metrics" : ""}, segmentSum`, () => {
    const [hidden, weight] = [random([numLabels, hiddenSize], half), random([vocabSize, hiddenSize], half)];
    hidden.requiresGrad = true;
    const labels = device.tensor(
      Array.from({ length: numLabels }, (_, i) => (i * 149) % vocabSize),
      [numLabels],
      "u32",
    );
    const bounds = device.tensor([0, numLabels / 4, numLabels / 2, numLabels], [4], "u32");
    return [
      { hidden, weight, labels, bounds },
      () => backwardOf(segmentSum(linearLogProbs(hidden, weight, labels, { metrics }).logProbs, bounds)),
    ];
  });
}
await bench(`adamw and gradNorm of ${numTrained}`, () => {
  const [params, grads, m, v] = [1, 2, 3, 4].map(() => full(device, [numTrained], 0.01, "f32")) as [Tensor, Tensor, Tensor, Tensor];
  const settings = { learningRate: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 10 };
  const hyper = device.tensor(adamwHyper(settings), [adamwHyperSize], "f32");
  return [{ params, grads, m, v, hyper }, () => adamwStep({ params, grads, m, v, hyper, clip: clipFactor(gradNorm([grads]), 1) })];
});
device.dispose();

function random(shape: Shape, dtype: Dtype): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const block = Float32Array.from({ length: Math.min(size, 65_536) }, () => (Math.random() - 0.5) / 4);
  const numbers = new Float32Array(size);
  for (let start = 0; start < size; start += block.length) numbers.set(block.subarray(0, size - start), start);
  return device.tensor(numbers, shape, dtype);
}

/** Backward of Σ y · y, so that the gradient of y is not a constant. */
function backwardOf(y: Tensor): void {
  backward(sum(mul(y, y))).dispose();
}

/** Prints the time of each kernel of a step, and the bandwidth or the arithmetic of those that state their cost. */
async function bench(title: string, prepare: () => [tensors: Record<string, Tensor>, step: () => void]): Promise<void> {
  const [tensors, step] = prepare();
  const run = (): void => device.scope(step);
  const costs = recordCosts(device, run);
  const warm = performance.now() + (software ? 0 : 400);
  do {
    run();
    await device.sync();
  } while (performance.now() < warm);
  const steps = software ? 1 : 20;
  const { timings } = await device.recorder.profile(() => {
    for (let i = 0; i < steps; i++) run();
  });
  console.log(`\n${title}`);
  for (const { label, count, totalMs } of timings) {
    const [name, variant] = label.split(" ") as [string, string];
    const ms = totalMs / steps;
    const cost = costs.get(label);
    const rate = cost ? `${(cost.bytes / ms / 1e6).toFixed(0)} GB/s, ${(cost.flops / ms / 1e9).toFixed(2)} TFLOP/s` : "";
    console.log(`  ${`${name} ${variant}`.padEnd(34)} ${`${count / steps} ×`.padStart(6)} ${ms.toFixed(4)} ms  ${rate}`);
  }
  for (const tensor of Object.values(tensors)) tensor.dispose();
  await device.memory.trim();
}

/** Sums of the costs of the kernels that one call of `run` records, by label. */
function recordCosts(on: Device, run: () => void): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  const kernels = [...kernelRegistry.values()];
  const originals = kernels.map((kernel) => kernel.run);
  kernels.forEach((kernel, index) => {
    kernel.run = (target, bindings, params, given) => {
      const { variant, spec } = kernel.choose(on.capabilities, given, on.recorder.variants.get(kernel.name));
      const cost = kernel.cost?.(params, spec);
      const { label } = kernel.source(variant, spec);
      const sofar = costs.get(label) ?? { bytes: 0, flops: 0 };
      if (cost) costs.set(label, { bytes: sofar.bytes + cost.bytes, flops: sofar.flops + cost.flops });
      originals[index]!(target, bindings, params, given);
    };
  });
  try {
    run();
  } finally {
    kernels.forEach((kernel, index) => (kernel.run = originals[index]!));
  }
  return costs;
}
