/**
 * AdamW on 8-bit moments, on this machine's GPU: every variant against IEEE 754 on the host, then times at the LoRA parameters of a 1.5B Qwen2
 * (r 16 on all projections, 18,464,768 in 392 tensors), beside AdamW on f32 moments.
 *
 *   npm run bench -- adamw-8bit
 */
import {
  adamw8bitHyper,
  dynamicMap,
  dynamicMapMidpoints,
  kernelRegistry,
  ParameterBucket,
  requestDevice,
  type ParameterShape,
} from "@kto/tensor";
import { createOptimizer } from "@kto/optim";
import { adamw8bit, freshMoments8bit } from "../packages/testing/src/oracle/adamw-8bit.js";
import { Numbers } from "../packages/testing/src/check/case.js";

const device = await requestDevice();
const { software } = device.capabilities;
console.log(device.capabilities.description);

const kernel = kernelRegistry.get("adamw8bit")!;
const views = [device.capabilities, { ...device.capabilities, software: true }];
const variants = kernel.variants.filter(({ when, spec }) => views.some((view) => when(view, spec))).map(({ name }) => name);
const midpoints = [dynamicMapMidpoints(dynamicMap("signed")), dynamicMapMidpoints(dynamicMap("unsigned"))] as const;

for (const variant of variants) await check(variant);
for (const name of [...variants, "adamw"]) await time(name);
device.dispose();

/** Steps from random state, each from where the host's run stands: what differs from IEEE 754. */
async function check(variant: string): Promise<void> {
  const size = software ? 20_007 : 1_000_007;
  const settings = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
  const numbers = new Numbers(11);
  device.recorder.variants.set(kernel.name, variant);
  using bucket = new ParameterBucket(device, [{ name: "weight", shape: [size] }]);
  using gradients = bucket.like("gradients");
  using optimizer = createOptimizer("adamw_8bit", [bucket], settings);
  const params = Float32Array.from({ length: size }, () => numbers.normal(0.1));
  const state = freshMoments8bit(size);
  const counts = { params: 0, scales: 0, codes: 0, farCodes: 0 };
  let largestDifference = 0;
  for (let step = 1; step <= 4; step++) {
    const gradient = Float32Array.from({ length: size }, () => numbers.normal(10 ** (-3 - 6 * numbers.uniform())));
    device.writeBytes(bucket.get("weight"), new Uint8Array(params.buffer));
    device.writeBytes(gradients.get("weight"), new Uint8Array(gradient.buffer));
    optimizer.writeState(
      new Map([
        ["weight.state1", state.codes1],
        ["weight.state2", state.codes2],
        ["weight.absmax1", new Uint8Array(state.absmax1.buffer)],
        ["weight.absmax2", new Uint8Array(state.absmax2.buffer)],
      ]),
    );
    device.scope(() => void optimizer.apply([gradients], { learningRate: settings.learningRate }));
    const got = await optimizer.readState();
    const gotParams = (await bucket.get("weight").read()) as Float32Array;
    const ratios = ratiosAfter(state, gradient, adamw8bitHyper({ ...settings, step }));
    adamw8bit(params, gradient, state, adamw8bitHyper({ ...settings, step }));
    params.forEach((value, i) => {
      if (value === gotParams[i]) return;
      counts.params++;
      largestDifference = Math.max(largestDifference, Math.abs(value - gotParams[i]!));
    });
    ([state.codes1, state.codes2] as const).forEach((codes, moment) => {
      const gotCodes = got.get(`weight.state${moment + 1}`)!;
      codes.forEach((code, i) => {
        if (code === gotCodes[i]) return;
        counts.codes++;
        const [low, high] = [Math.min(code, gotCodes[i]!), Math.max(code, gotCodes[i]!)];
        const middle = midpoints[moment]![low]!;
        if (high - low > 1 || Math.abs(ratios[moment]![i]! - middle) > 2e-6 * Math.abs(middle)) counts.farCodes++;
      });
    });
    ([state.absmax1, state.absmax2] as const).forEach((scales, moment) => {
      const gotScales = new Float32Array(Uint8Array.from(got.get(`weight.absmax${moment + 1}`)!).buffer);
      scales.forEach((scale, i) => (counts.scales += scale === gotScales[i] ? 0 : 1));
    });
  }
  device.recorder.variants.clear();
  const isExact = Object.values(counts).every((count) => count === 0);
  console.log(
    `${variant.padEnd(14)} 4 steps of ${size}: ${isExact ? "bit for bit IEEE 754" : `off: ${counts.params} parameters by at most ${largestDifference.toExponential(1)}, ${counts.scales} scales, ${counts.codes} codes (${counts.farCodes} not at a midpoint)`}`,
  );
}

/** m / max |m| and v / max v of every element after a step, in double. */
function ratiosAfter(
  state: ReturnType<typeof freshMoments8bit>,
  gradient: Float32Array,
  hyper: Float32Array,
): [Float64Array, Float64Array] {
  const [signed, unsigned] = [dynamicMap("signed"), dynamicMap("unsigned")];
  const [beta1, oneMinusBeta1, beta2, oneMinusBeta2] = hyper as unknown as [number, number, number, number];
  const m = Float64Array.from(gradient, (g, i) => signed[state.codes1[i]!]! * state.absmax1[i >> 8]! * beta1 + oneMinusBeta1 * g);
  const v = Float64Array.from(gradient, (g, i) => unsigned[state.codes2[i]!]! * state.absmax2[i >> 8]! * beta2 + oneMinusBeta2 * g * g);
  for (const values of [m, v]) {
    for (let start = 0; start < values.length; start += 256) {
      const block = values.subarray(start, start + 256);
      const scale = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      block.forEach((value, i) => (block[i] = value / scale));
    }
  }
  return [m, v];
}

/** Kernel times of a step with clipping, state and bandwidth. */
async function time(name: string): Promise<void> {
  const is8bit = name !== "adamw";
  if (is8bit) device.recorder.variants.set(kernel.name, name);
  const before = device.memory.info().inUseBytes;
  using bucket = new ParameterBucket(device, loraShapes(software ? 1 : 28));
  using gradients = bucket.like("gradients");
  const buckets = device.memory.info().inUseBytes - before;
  using optimizer = createOptimizer(is8bit ? "adamw_8bit" : "adamw", [bucket], { weightDecay: 0.01 });
  const state = device.memory.info().inUseBytes - before - buckets;
  const numbers = new Numbers(3);
  const drawn = Float32Array.from({ length: bucket.flat.size }, () => numbers.normal(1e-3));
  device.writeBytes(gradients.flat, new Uint8Array(drawn.buffer));
  const step = (): void => device.scope(() => void optimizer.apply([gradients], { learningRate: 1e-5, maxGradNorm: 1 }));
  const warm = performance.now() + (software ? 0 : 400);
  do {
    step();
    await device.sync();
  } while (performance.now() < warm);
  const repeats = software ? 1 : 50;
  const { timings } = await device.recorder.profile(() => {
    for (let i = 0; i < repeats; i++) step();
  });
  const total = timings.reduce((sum, { totalMs }) => sum + totalMs, 0) / repeats;
  console.log(
    `\n${is8bit ? `adamw_8bit, ${name}` : name}: ${bucket.numElements} parameters in ${bucket.parameters.size} tensors, state ${(state / bucket.numElements).toFixed(3)} bytes each, ${total.toFixed(4)} ms a step on the GPU`,
  );
  for (const { label, count, totalMs } of timings) {
    const ms = totalMs / repeats;
    const bytes = bytesOf(label.split(" ")[0]!, bucket.flat.size);
    const rate = bytes ? `${(bytes / ms / 1e6).toFixed(0)} GB/s` : "";
    console.log(
      `  ${label.split(" ").slice(0, 2).join(" ").padEnd(26)} ${String(count / repeats).padStart(3)} × ${ms.toFixed(4)} ms  ${rate}`,
    );
  }
  device.recorder.variants.clear();
  await device.memory.trim();
}

/** Bytes that a kernel moves for so many parameters, by its declared cost. */
function bytesOf(name: string, size: number): number | undefined {
  return kernelRegistry.get(name)?.cost?.({ size, numBlocks: size / 256 }, {} as never).bytes;
}

/** LoRA of rank 16 on the seven projections of each layer of the 1.5B Qwen2. */
function loraShapes(numLayers: number): ParameterShape[] {
  const [hidden, keyValue, intermediate, rank] = [1536, 256, 8960, 16];
  const projections = [
    ["q_proj", hidden, hidden],
    ["k_proj", hidden, keyValue],
    ["v_proj", hidden, keyValue],
    ["o_proj", hidden, hidden],
    ["gate_proj", hidden, intermediate],
    ["up_proj", hidden, intermediate],
    ["down_proj", intermediate, hidden],
  ] as const;
  return Array.from({ length: numLayers }, (_, layer) =>
    projections.flatMap(([name, inFeatures, outFeatures]) => [
      { name: `${layer}.${name}.lora_A`, shape: [rank, inFeatures] },
      { name: `${layer}.${name}.lora_B`, shape: [outFeatures, rank] },
    ]),
  ).flat();
}
