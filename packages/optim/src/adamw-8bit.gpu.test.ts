import { backward, lowRankAdd, mul, ParameterBucket, requestDevice, ShapeError, sum, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdamW8bit, createOptimizer, optimizerNames, type Optimizer } from "./index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

const shapes = [
  { name: "small", shape: [3, 5] },
  { name: "large", shape: [65, 64] },
  { name: "empty", shape: [0] },
  { name: "larger", shape: [16, 300] },
];

/** Numbers over nine binary orders, the same for the same seed. */
const draw = (seed: number, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i * 0.37) * 2 ** -((i * 7 + seed) % 9));

function write(bucket: ParameterBucket, name: string, values: Float32Array): void {
  device.writeBytes(bucket.get(name), new Uint8Array(values.buffer));
}

function fresh(): ParameterBucket {
  const bucket = new ParameterBucket(device, shapes);
  for (const [name, { size }] of bucket.parameters) write(bucket, name, draw(0.5, size));
  return bucket;
}

/** Steps with gradients that depend on the step alone, until that many have been taken. */
async function steps(optimizer: Optimizer, until: number): Promise<void> {
  const [bucket] = optimizer.parameters;
  using gradients = bucket!.like("gradients");
  while (optimizer.step < until) {
    for (const [name, { size }] of bucket!.parameters) write(gradients, name, draw(optimizer.step + 1, size));
    device.scope(() => void optimizer.apply([gradients], { learningRate: 1e-3, maxGradNorm: 1 }));
    await device.sync();
  }
}

/** Holds parameters of `fresh` after three steps to a float64 loop with exact moments, at learning rate 1e-2 and weight decay 0.1. */
async function expectMoments32(bucket: ParameterBucket): Promise<void> {
  for (const tensor of bucket.parameters.values()) {
    const got = await tensor.read();
    const want = Float64Array.from(draw(0.5, tensor.size));
    const [m, v] = [new Float64Array(tensor.size), new Float64Array(tensor.size)];
    for (let step = 1; step <= 3; step++) {
      const [c1, c2] = [1 - 0.9 ** step, Math.sqrt(1 - 0.999 ** step)];
      draw(step, tensor.size).forEach((g, i) => {
        m[i] = 0.9 * m[i]! + 0.1 * g;
        v[i] = 0.999 * v[i]! + 0.001 * g * g;
        want[i] = (want[i]! - ((1e-2 * c2) / c1) * (m[i] / (Math.sqrt(v[i]) + c2 * 1e-8))) * (1 - 1e-2 * 0.1);
      });
    }
    want.forEach((value, i) => expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(1e-6 + 1e-5 * Math.abs(value)));
  }
}

describe.each(["adamw_8bit", "adamw", "paged_adamw_32bit"])("%s", (name) => {
  it("goes on from a state that was read, bit for bit", async () => {
    using bucket = fresh();
    using optimizer = createOptimizer(name, [bucket], { weightDecay: 0.01 });
    await steps(optimizer, 3);
    const middle = { state: await optimizer.readState(), params: await device.readBytes(bucket.flat) };
    await steps(optimizer, 6);

    using resumedBucket = fresh();
    using resumed = createOptimizer(name, [resumedBucket], { weightDecay: 0.01 });
    device.writeBytes(resumedBucket.flat, middle.params);
    resumed.writeState(middle.state);
    resumed.step = 3;
    expect(await resumed.readState()).toEqual(middle.state);
    await steps(resumed, 6);
    expect(await resumedBucket.flat.read()).toEqual(await bucket.flat.read());
    expect(await resumed.readState()).toEqual(await optimizer.readState());
  });

  it("lists its state as it reads it", async () => {
    using bucket = fresh();
    using optimizer = createOptimizer(name, [bucket]);
    const state = await optimizer.readState();
    const listed = optimizer.stateTensors().map(({ key, dtype, shape }) => [key, shape.reduce((a, b) => a * b, dtype === "U8" ? 1 : 4)]);
    expect(listed).toEqual([...state].map(([key, bytes]) => [key, bytes.byteLength]));
  });

  it("takes no state that does not fit", async () => {
    using bucket = fresh();
    using optimizer = createOptimizer(name, [bucket]);
    const state = await optimizer.readState();
    const [key, bytes] = [...state][0]!;
    state.set(key, bytes.slice(1));
    expect(() => optimizer.writeState(state)).toThrow(ShapeError);
    state.delete(key);
    expect(() => optimizer.writeState(state)).toThrow(`optimizer state: ${key} does not fit; expected ${bytes.byteLength} bytes, got none`);
  });

  it("leaves parameters and state as they are if the norm is not finite", async () => {
    using bucket = fresh();
    using gradients = bucket.like("gradients");
    using optimizer = createOptimizer(name, [bucket], { weightDecay: 0.01 });
    await steps(optimizer, 1);
    const before = { params: await bucket.flat.read(), state: await optimizer.readState() };
    write(gradients, "large", Float32Array.of(1, NaN, 2));
    using norm = device.scope(() => optimizer.apply([gradients], { learningRate: 1e-3 }));
    expect(Number.isFinite(await norm.item())).toBe(false);
    expect({ params: await bucket.flat.read(), state: await optimizer.readState() }).toEqual(before);
  });

  it("gives its memory back", async () => {
    const before = device.memory.info().liveStorages;
    using bucket = fresh();
    const optimizer = createOptimizer(name, [bucket]);
    await steps(optimizer, 1);
    optimizer.dispose();
    expect(device.memory.info().liveStorages - before).toBe(1); // the bucket
  });
});

describe("AdamW8bit", () => {
  it("keeps 8-bit state of large tensors and f32 state of small ones, under bitsandbytes' keys", () => {
    using bucket = fresh();
    using optimizer = createOptimizer("paged_adamw_8bit", [bucket]);
    expect(optimizer.kind).toBe("adamw_8bit");
    expect(Object.fromEntries(optimizer.stateTensors().map(({ key, dtype, shape }) => [key, `${dtype} ${shape.join("×")}`]))).toEqual({
      "large.state1": "U8 65×64",
      "large.state2": "U8 65×64",
      "large.absmax1": "F32 17",
      "large.absmax2": "F32 17",
      "larger.state1": "U8 16×300",
      "larger.state2": "U8 16×300",
      "larger.absmax1": "F32 19",
      "larger.absmax2": "F32 19",
      "small.state1": "F32 3×5",
      "small.state2": "F32 3×5",
    });
  });

  it("4,096 elements are enough for 8 bits, 4,095 are not", () => {
    using bucket = new ParameterBucket(device, [
      { name: "below", shape: [4095] },
      { name: "at", shape: [16, 256] },
    ]);
    using optimizer = new AdamW8bit([bucket]);
    const dtypes = optimizer.stateTensors().flatMap(({ key, dtype }) => (key.endsWith(".state1") ? [[key, dtype]] : []));
    expect(Object.fromEntries(dtypes)).toEqual({ "below.state1": "F32", "at.state1": "U8" });
  });

  it("takes 2.03 bytes a parameter, and the places of the blocks, once for all steps", async () => {
    const numElements = 64 * 4096;
    using bucket = new ParameterBucket(device, [{ name: "weight", shape: [64, 4096] }]);
    using gradients = bucket.like("gradients");
    const before = device.memory.info().inUseBytes;
    using optimizer = new AdamW8bit([bucket]);
    const state = device.memory.info().inUseBytes - before;
    const maps = 4096;
    expect(state - maps - (8 * numElements) / 256).toBeLessThanOrEqual(numElements * 2.03125);
    for (let i = 0; i < 3; i++) device.scope(() => void optimizer.apply([gradients], { learningRate: 1e-3 }));
    await device.sync();
    expect(device.memory.info().inUseBytes - before).toBe(state);
  });

  it("takes five dispatches a step, however many parameters there are", async () => {
    const many = Array.from({ length: 40 }, (_, i) => ({ name: `weight${i}`, shape: [i % 2 === 0 ? 4200 : 100] }));
    using bucket = new ParameterBucket(device, many);
    using gradients = bucket.like("gradients");
    using optimizer = new AdamW8bit([bucket]);
    const before = device.recorder.numDispatches;
    device.scope(() => void optimizer.apply([gradients], { learningRate: 1e-3, maxGradNorm: 1 }));
    expect(device.recorder.numDispatches - before).toBe(5); // squares, norm, clip factor, 8-bit blocks, f32 blocks
    await device.sync();
  });

  it("the first step of LoRA: A has no gradient, keeps its value, and its codes become 255 with scale 0", async () => {
    const [inFeatures, outFeatures, rank, numTokens] = [512, 640, 8, 6];
    using bucket = new ParameterBucket(device, [
      { name: "lora_A", shape: [rank, inFeatures] },
      { name: "lora_B", shape: [outFeatures, rank] },
    ]);
    write(bucket, "lora_A", draw(1, rank * inFeatures));
    bucket.requiresGrad = true;
    using gradients = bucket.like("gradients");
    using optimizer = new AdamW8bit([bucket]);
    const initial = await bucket.get("lora_A").read();
    const onePass = (): void => {
      const [x, base]: [Tensor, Tensor] = [
        device.tensor(draw(2, numTokens * inFeatures), [numTokens, inFeatures], "f32"),
        device.tensor(draw(3, numTokens * outFeatures), [numTokens, outFeatures], "f32"),
      ];
      const y = lowRankAdd(base, x, bucket.get("lora_A"), bucket.get("lora_B"), { scale: 2 });
      gradients.clear();
      backward(sum(mul(y, y)), { sink: gradients.sink(bucket) }).dispose();
      optimizer.apply([gradients], { learningRate: 1e-3, maxGradNorm: 1 });
    };
    device.scope(onePass);
    const first = await optimizer.readState();
    expect(await bucket.get("lora_A").read()).toEqual(initial);
    expect([new Set(first.get("lora_A.state1")), new Set(first.get("lora_A.state2"))]).toEqual([new Set([255]), new Set([0])]);
    expect([...first.get("lora_A.absmax1")!, ...first.get("lora_A.absmax2")!].every((byte) => byte === 0)).toBe(true);
    expect(new Set(first.get("lora_B.state1")).size).toBeGreaterThan(100);

    device.scope(onePass);
    const second = await optimizer.readState();
    expect(await bucket.get("lora_A").read()).not.toEqual(initial);
    expect(new Set(second.get("lora_A.state1")).size).toBeGreaterThan(100);
  });

  // A lane that has no element of its short block once wrote back what it had read of the next parameter, over that one's step.
  it.each([
    { size: 68, state: "f32" },
    { size: 4100, state: "8-bit" },
  ])("parameters of $size elements, whose last block is short, leave their neighbours alone ($state state)", async ({ size }) => {
    const names = Array.from({ length: 64 }, (_, i) => `weight${i}`);
    using bucket = new ParameterBucket(
      device,
      names.map((name) => ({ name, shape: [size] })),
    );
    using gradients = bucket.like("gradients");
    for (const name of names) write(gradients, name, new Float32Array(size).fill(1));
    using optimizer = new AdamW8bit([bucket]);
    for (let i = 0; i < 4; i++) device.scope(() => void optimizer.apply([gradients], { learningRate: 0.5 }));
    const flat = await bucket.flat.read();
    const moved = new Set(flat.map((value) => Math.round(1000 * value) / 1000));
    expect(moved).toEqual(new Set([Math.fround(-2), 0])); // all of them by four steps, the gaps not at all
    expect(flat.filter((value) => value !== 0)).toHaveLength(names.length * size);
  });

  it("an embedding keeps exact moments beside matrices in 8 bits, as in bitsandbytes", async () => {
    const both = [new ParameterBucket(device, shapes, "embedding", { isEmbedding: true }), new ParameterBucket(device, shapes, "matrices")];
    using embedding = both[0]!;
    using matrices = both[1]!;
    for (const bucket of both) for (const [name, { size }] of bucket.parameters) write(bucket, name, draw(0.5, size));
    using optimizer = createOptimizer("adamw_8bit", both, { weightDecay: 0.1 });
    const dtypes = optimizer.stateTensors().map(({ key, dtype }) => `${key} ${dtype}`);
    expect(dtypes.filter((text) => text === "large.state1 F32" || text === "large.state1 U8").sort()).toEqual([
      "large.state1 F32",
      "large.state1 U8",
    ]);
    using first = embedding.like("gradients");
    using second = matrices.like("gradients");
    for (let step = 0; step < 3; step++) {
      for (const gradients of [first, second])
        for (const [name, { size }] of embedding.parameters) write(gradients, name, draw(step + 1, size));
      device.scope(() => void optimizer.apply([first, second], { learningRate: 1e-2 }));
    }
    await expectMoments32(embedding);
    const [exact, coded] = [await embedding.get("large").read(), await matrices.get("large").read()];
    expect(exact.some((value, i) => Math.abs(value - coded[i]!) > 1e-5)).toBe(true);
  });

  it("paged_adamw_32bit is bitsandbytes' AdamW with f32 moments: the decay comes after the step", async () => {
    using bucket = fresh();
    using optimizer = createOptimizer("paged_adamw_32bit", [bucket], { weightDecay: 0.1 });
    expect(new Set(optimizer.stateTensors().map(({ dtype }) => dtype))).toEqual(new Set(["F32"]));
    using gradients = bucket.like("gradients");
    for (let step = 0; step < 3; step++) {
      for (const [parameter, { size }] of bucket.parameters) write(gradients, parameter, draw(step + 1, size));
      device.scope(() => void optimizer.apply([gradients], { learningRate: 1e-2 }));
    }
    await expectMoments32(bucket);
  });

  it("two buckets, one of them with small parameters only, share one norm", async () => {
    using first = fresh();
    using second = new ParameterBucket(device, [{ name: "bias", shape: [7] }]);
    using firstGradients = first.like("gradients");
    using secondGradients = second.like("gradients");
    write(firstGradients, "small", Float32Array.of(3));
    write(secondGradients, "bias", Float32Array.of(0, 4));
    using optimizer = new AdamW8bit([first, second]);
    using norm = device.scope(() => optimizer.apply([firstGradients, secondGradients], { learningRate: 0.5, maxGradNorm: 1 }));
    expect(await norm.item()).toBeCloseTo(5, 6);
    expect([...(await second.get("bias").read())].map((value) => Math.round(1000 * value) / 1000)).toEqual([0, -0.5, 0, 0, 0, 0, 0]);
    expect(optimizer.stateTensors().map(({ key }) => key)).toContain("bias.state1");
  });

  it("every name makes an optimizer", () => {
    using bucket = fresh();
    for (const name of optimizerNames) createOptimizer(name, [bucket]).dispose();
  });
});
