/**
 * What a prompt costs until its first token, at the 1.5B shape with random weights: the host's time to record it, the device's, and its kernels.
 *
 *   npm run bench -- prompt [--nf4] [--adapter] [--tokens 128] [--layers 28] [--out FILE.json]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { GenerationEngine } from "@kto/generate";
import { PeftModel } from "@kto/lora";
import { requestDevice } from "@kto/tensor";
import { KeyValueCache } from "../packages/generate/src/cache/key-value-cache.js";
import { randomFourBitModel, randomModel, shape1b5 } from "@kto/bench";

const { values: options } = parseArgs({
  options: {
    nf4: { type: "boolean", default: false },
    adapter: { type: "boolean", default: false },
    tokens: { type: "string", default: "128" },
    layers: { type: "string", default: "28" },
    out: { type: "string" },
  },
});

const device = await requestDevice();
const shape = { ...shape1b5, numHiddenLayers: Number(options.layers) };
const model = options.nf4 ? await randomFourBitModel(device, shape) : randomModel(device, shape, "f16");
if (options.adapter) new PeftModel(model).addAdapter({ r: 16, loraAlpha: 16, targetModules: "all-linear" });
const numTokens = Number(options.tokens);
const randomIds = (): number[] => Array.from({ length: numTokens }, () => Math.floor(Math.random() * model.vocabSize));
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const cache = new KeyValueCache(model, 4096);

/** Records the pass of one prompt up to the logits of its last token. */
function pass(): void {
  const row = { length: 0, pages: [] as number[] };
  cache.reserve(row, numTokens);
  device.scope("prompt", () =>
    device.noGrad(() => {
      const batch = model.packRows([randomIds()]);
      model.hiddenStates(batch, { attendProjected: cache.attendProjected([{ row, numTokens }]) });
    }),
  );
  cache.truncate(row, 0);
}

const begun = performance.now();
while (performance.now() - begun < 500) {
  pass();
  await device.sync();
}
const [recording, whole, several]: number[][] = [[], [], []];
let dispatches = 0;
for (let run = 0; run < 15; run++) {
  const before = device.recorder.numDispatches;
  const start = performance.now();
  pass();
  recording!.push(performance.now() - start);
  await device.sync();
  whole!.push(performance.now() - start);
  dispatches = device.recorder.numDispatches - before;
}
for (let run = 0; run < 5; run++) {
  const start = performance.now();
  for (let i = 0; i < 10; i++) pass();
  await device.sync();
  several!.push((performance.now() - start) / 10);
}
using engine = new GenerationEngine(model, { maxRows: 1, maxCachedTokens: 4096 });
const first: number[] = [];
for (let run = 0; run < 20; run++) {
  const start = performance.now();
  const row = engine.start({
    promptIds: randomIds(),
    maxNewTokens: 1,
    eosTokenIds: [],
    sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2] },
  });
  for await (const id of row) {
    void id;
    first.push(performance.now() - start);
  }
}
const result = {
  nf4: options.nf4,
  adapter: options.adapter,
  tokens: numTokens,
  dispatches,
  recordingMs: median(recording!),
  wholeMs: median(whole!),
  oneAfterAnotherMs: median(several!),
  firstTokenMs: median(first),
};
console.log(result);
const { timings } = await device.recorder.profile(pass);
const total = timings.reduce((sum, { totalMs }) => sum + totalMs, 0);
console.log(`GPU ${total.toFixed(3)} ms with timestamps`);
for (const { label, count, totalMs } of timings.slice(0, 24))
  console.log(`${totalMs.toFixed(3).padStart(8)} ms ${String(count).padStart(5)} × ${label}`);
if (options.out) writeFileSync(options.out, JSON.stringify({ device: device.capabilities.description, result, timings }, null, 2));
model.dispose();
device.dispose();
