import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bytesSource, FormatError } from "@kto/core";
import { AdamW8bit, createOptimizer, type Optimizer } from "@kto/optim";
import { bytesWrittenBy, encodeSafetensors, openSafetensors, type TensorToWrite } from "@kto/safetensors";
import { ParameterBucket, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readOptimizer, restoreOptimizer, writeOptimizer } from "./optimizer-file.js";

/** The file of an optimizer. */
function encodeOptimizer(optimizer: Optimizer): Promise<Uint8Array> {
  return bytesWrittenBy((sink) => writeOptimizer(sink, optimizer));
}

/** Reads the file of an optimizer and puts it into another. */
async function restore(bytes: Uint8Array, step: number, optimizer: Optimizer): Promise<void> {
  restoreOptimizer(await readOptimizer(await openSafetensors(bytesSource(bytes)), optimizer, step), optimizer);
}

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

const shapes = [
  { name: "model.q_proj.lora_A", shape: [16, 300] },
  { name: "model.q_proj.lora_B", shape: [40, 16] },
];

function makeBucket(): ParameterBucket {
  return new ParameterBucket(device, shapes);
}

async function step(optimizer: Optimizer, seed: number): Promise<void> {
  const [bucket] = optimizer.parameters;
  using gradients = bucket!.like("gradients");
  const numbers = Float32Array.from({ length: bucket!.flat.size }, (_, i) => Math.sin(seed + 0.1 * i));
  device.writeBytes(gradients.flat, new Uint8Array(numbers.buffer));
  device.scope(() => void optimizer.apply([gradients], { learningRate: 1e-3, maxGradNorm: 1 }));
  await device.sync();
}

/** `optimizer.safetensors` of a fresh optimizer after one step, with its tensors and metadata changed. */
async function changedFile(
  name: string,
  change: (tensors: Map<string, TensorToWrite>, metadata: Record<string, string>) => void,
): Promise<Uint8Array> {
  using bucket = makeBucket();
  using optimizer = createOptimizer(name, [bucket]);
  await step(optimizer, 1);
  const file = await openSafetensors(bytesSource(await encodeOptimizer(optimizer)));
  const tensors = new Map<string, TensorToWrite>();
  for (const key of file.tensors.keys()) tensors.set(key, await file.read(key));
  const metadata = { ...file.metadata };
  change(tensors, metadata);
  return encodeSafetensors(tensors, { metadata });
}

describe.each(["adamw", "adamw_8bit"])("the state of %s in a checkpoint", (name) => {
  it("comes back bit for bit, and the next step is the same", async () => {
    using bucket = makeBucket();
    using optimizer = createOptimizer(name, [bucket], { weightDecay: 0.01 });
    await step(optimizer, 1);
    await step(optimizer, 2);
    const bytes = await encodeOptimizer(optimizer);

    using otherBucket = makeBucket();
    using other = createOptimizer(name, [otherBucket], { weightDecay: 0.01 });
    device.copyInto(otherBucket.flat, bucket.flat);
    await restore(bytes, 2, other);
    expect(other.step).toBe(2);
    expect(await encodeOptimizer(other)).toEqual(bytes);

    await step(optimizer, 3);
    await step(other, 3);
    expect(await otherBucket.flat.read()).toEqual(await bucket.flat.read());
    expect(await encodeOptimizer(other)).toEqual(await encodeOptimizer(optimizer));
  });

  it.each<[string, RegExp, Parameters<typeof changedFile>[1]]>([
    [
      "of another optimizer",
      /another optimizer's; expected adamw(_8bit)?, got sgd/,
      (_tensors, metadata) => (metadata["optimizer"] = "sgd"),
    ],
    ["of none", /another optimizer's; expected adamw(_8bit)?, got none/, (_tensors, metadata) => delete metadata["optimizer"]],
    ["without the steps taken", /it is of another update; expected step 1, got -1/, (_tensors, metadata) => (metadata["step"] = "-1")],
    [
      "without a tensor",
      /lora_B/,
      (tensors) => [...tensors.keys()].filter((key) => key.includes("lora_B")).map((key) => tensors.delete(key)),
    ],
    [
      "with another shape",
      /lora_A.* does not fit; expected (U8|F32) \[16, 300\], got (U8|F32) \[4800\]/,
      (tensors) =>
        tensors.forEach(
          (tensor, key) => tensor.shape.length === 2 && tensors.set(key, { ...tensor, shape: [tensor.shape[0]! * tensor.shape[1]!] }),
        ),
    ],
  ])("is refused if it is %s, and nothing changes", async (_what, message, change) => {
    const bytes = await changedFile(name, change);
    using bucket = makeBucket();
    using optimizer = createOptimizer(name, [bucket]);
    await step(optimizer, 7);
    const before = await encodeOptimizer(optimizer);
    const refused = restore(bytes, 1, optimizer);
    await expect(refused).rejects.toThrow(FormatError);
    await expect(refused).rejects.toThrow(message);
    expect(await encodeOptimizer(optimizer)).toEqual(before);
  });
});

it("an optimizer does not take the state of the other one", async () => {
  using bucket = makeBucket();
  using adamw = createOptimizer("adamw", [bucket]);
  using adamw8bit = createOptimizer("adamw_8bit", [bucket]);
  await expect(encodeOptimizer(adamw).then((bytes) => restore(bytes, 0, adamw8bit))).rejects.toThrow(
    "optimizer.safetensors: it is another optimizer's; expected adamw_8bit, got adamw",
  );
  await expect(encodeOptimizer(adamw8bit).then((bytes) => restore(bytes, 0, adamw))).rejects.toThrow(FormatError);
});

it("a state of another update, or with a tensor too many, is refused", async () => {
  const bytes = await changedFile("adamw", (tensors) =>
    tensors.set("m.model.k_proj.lora_A", { dtype: "F32", shape: [1], data: new Float32Array(1) }),
  );
  using bucket = makeBucket();
  using optimizer = createOptimizer("adamw", [bucket]);
  await expect(restore(bytes, 2, optimizer)).rejects.toThrow("it is of another update; expected step 2, got 1");
  await expect(restore(bytes, 1, optimizer)).rejects.toThrow("m.model.k_proj.lora_A is no tensor of this run");
});

it("scales of blocks of 2048, as bitsandbytes before 0.44 has them, do not fit", async () => {
  const bytes = await changedFile("adamw_8bit", (tensors) => {
    const key = "model.q_proj.lora_A.absmax1";
    tensors.set(key, { dtype: "F32", shape: [3], data: new Float32Array(3) });
  });
  using bucket = makeBucket();
  using optimizer = new AdamW8bit([bucket]);
  await expect(restore(bytes, 1, optimizer)).rejects.toThrow("absmax1 does not fit; expected F32 [19], got F32 [3]");
});

it("a file of AdamW from before there were other optimizers is read", async () => {
  const tensors = shapes.flatMap(({ name, shape }, i) => {
    const size = shape[0]! * shape[1]!;
    return ["m.", "v."].map((prefix, j): [string, TensorToWrite] => [
      prefix + name,
      { dtype: "F32", shape, data: Float32Array.from({ length: size }, (_, k) => k + 1000 * i + 10 * j) },
    ]);
  });
  const bytes = await encodeSafetensors(tensors, { metadata: { format: "pt", optimizer: "adamw", step: "12" } });
  using bucket = makeBucket();
  using optimizer = createOptimizer("adamw_torch", [bucket]);
  await restore(bytes, 12, optimizer);
  expect(optimizer.step).toBe(12);
  expect(await encodeOptimizer(optimizer)).toEqual(bytes);
});

it("the file of adamw_8bit has the keys of bitsandbytes", async () => {
  using bucket = makeBucket();
  using optimizer = new AdamW8bit([bucket]);
  await step(optimizer, 1);
  const file = await openSafetensors(bytesSource(await encodeOptimizer(optimizer)));
  expect({ ...file.metadata }).toEqual({ format: "pt", optimizer: "adamw_8bit", step: "1" });
  expect(Object.fromEntries([...file.tensors].map(([key, { dtype, shape }]) => [key, `${dtype} [${shape.join(", ")}]`]))).toEqual({
    "model.q_proj.lora_A.state1": "U8 [16, 300]",
    "model.q_proj.lora_A.state2": "U8 [16, 300]",
    "model.q_proj.lora_A.absmax1": "F32 [19]",
    "model.q_proj.lora_A.absmax2": "F32 [19]",
    "model.q_proj.lora_B.state1": "F32 [40, 16]",
    "model.q_proj.lora_B.state2": "F32 [40, 16]",
    step: "I64 []",
  });
  expect(new DataView((await file.read("step")).data.slice().buffer).getBigInt64(0, true)).toBe(1n);
});

it("a state larger than what the host may hold of it is written in pieces, while it is read", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const held = (): number => (collect(), process.memoryUsage().arrayBuffers);
  using bucket = new ParameterBucket(device, [
    { name: "embedding", shape: [9000, 1000] },
    { name: "matrix", shape: [9000, 1001] },
    { name: "norm", shape: [7] },
  ]);
  using optimizer = createOptimizer("adamw", [bucket]);
  const before = held();
  let [most, written, largest] = [0, 0, 0];
  await writeOptimizer(
    {
      async write(bytes) {
        written += bytes.byteLength;
        largest = Math.max(largest, bytes.byteLength);
        most = Math.max(most, held() - before);
      },
    },
    optimizer,
  );
  expect(written).toBeGreaterThan(2 * 4 * bucket.numElements);
  expect(largest).toBeLessThanOrEqual(16 * 2 ** 20);
  expect(most).toBeGreaterThan(16 * 2 ** 20 - 1);
  expect(most, "four pieces and one on its way, twice where it is copied from the device").toBeLessThan(6.5 * 16 * 2 ** 20);
});
