import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requestDevice, sizeOf, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Qwen2ForCausalLM, weightSpecs, writeQwen2Config, type Qwen2Config } from "./index.js";
import { fileDirectory } from "./node.js";

/** 309 MB in bf16, the largest tensor of it 33 MB. */
const config: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: 16_000,
  hiddenSize: 1024,
  intermediateSize: 4096,
  numHiddenLayers: 8,
  numAttentionHeads: 16,
  numKeyValueHeads: 4,
  headDim: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 64,
  tieWordEmbeddings: false,
  eosTokenId: undefined,
};

let device: Device;
let folder: string;
beforeAll(async () => {
  device = await requestDevice();
  folder = await mkdtemp(join(tmpdir(), "kto-"));
});
afterAll(async () => {
  device.dispose();
  await rm(folder, { recursive: true });
});

/** A checkpoint of zeros that takes no room on disk. */
async function writeZeros(): Promise<void> {
  await writeFile(join(folder, "config.json"), JSON.stringify(writeQwen2Config(config)));
  let end = 0;
  const entries = weightSpecs(config).map(({ name, shape }) => {
    const start = end;
    end += 2 * sizeOf(shape);
    return [name, { dtype: "BF16", shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.byteLength));
  await using file = await open(join(folder, "model.safetensors"), "w");
  await file.write(Buffer.concat([length, header]));
  await file.truncate(8 + header.byteLength + end);
}

test("the host's memory while loading does not grow with the model: 1.5 of its largest tensor and 300 MB", async () => {
  await writeZeros();
  (await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model-bf16")), { device, dtype: "f32" })).dispose(); // compiles
  const ofDevice = (): number => (device.capabilities.software ? device.memory.info().allocatedBytes : 0); // whose memory is the host's
  const hostBytes = (): number => process.memoryUsage.rss() - ofDevice();
  let most = 0;
  const measure = (): void => void (most = Math.max(most, hostBytes()));
  const timer = setInterval(measure, 3);
  using model = await Qwen2ForCausalLM.fromPretrained(fileDirectory(folder), { device, dtype: "f32", onProgress: measure });
  clearInterval(timer);
  const sizes = weightSpecs(config).map(({ shape }) => 2 * sizeOf(shape));
  expect(model.numParameters * 2).toBeGreaterThan(300e6);

  expect(most).toBeLessThan(1.5 * Math.max(...sizes) + 300e6);
});
