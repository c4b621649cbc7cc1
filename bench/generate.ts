/**
 * Answers of a model of the 1.5B shape with random weights, or of a model folder: greedy, end tokens off, a prompt of 128 random ids and 256 new tokens.
 *
 *   npm run bench -- generate [--model FOLDER] [--dtype f16|f32] [--nf4] [--adapter] [--rows 1,32] [--prompt 128] [--new 256] [--profile] [--mixed] [--layers 28] [--out FILE.json]
 *
 * With --adapter answers with and without it take turns, which stands for the merged model, and their quotient is printed. Prints time to the first token, tokens a second of all rows together, dispatches a token and host time; with --profile the kernels of one pass too.
 * With --mixed also what a pass of one to eight rows takes, without an adapter, and eight rows of 16 to 512 new tokens beside eight that are as long as each other.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { GenerationEngine } from "@kto/generate";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type FloatDtype } from "@kto/tensor";
import { PeftModel } from "@kto/lora";
import { randomFourBitModel, randomModel, shape1b5 } from "@kto/bench";

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    dtype: { type: "string", default: "f16" },
    nf4: { type: "boolean", default: false },
    adapter: { type: "boolean", default: false },
    rows: { type: "string", default: "1,32" },
    prompt: { type: "string", default: "128" },
    new: { type: "string", default: "256" },
    layers: { type: "string", default: "28" },
    profile: { type: "boolean", default: false },
    mixed: { type: "boolean", default: false },
    out: { type: "string" },
  },
});

const device = await requestDevice();
const dtype = options.dtype as FloatDtype;
const model = options.model
  ? await Qwen2ForCausalLM.fromPretrained(fileDirectory(options.model), { device, dtype })
  : options.nf4
    ? await randomFourBitModel(device, { ...shape1b5, numHiddenLayers: Number(options.layers) })
    : randomModel(device, { ...shape1b5, numHiddenLayers: Number(options.layers) }, dtype);
const adapted = options.adapter ? new PeftModel(model) : undefined;
adapted?.addAdapter({ r: 16, loraAlpha: 16, targetModules: "all-linear" });
await device.sync();
console.log(`${device.capabilities.description}: ${model.numParameters.toLocaleString("en")} parameters, ${dtype}`);

const [promptTokens, newTokens] = [Number(options.prompt), Number(options.new)];
const randomIds = (): number[] => Array.from({ length: promptTokens }, () => Math.floor(Math.random() * model.vocabSize));

/** Answers `count` rows together; milliseconds to the first token of all, and to the last. */
async function answer(
  engine: GenerationEngine,
  count: number,
  maxNewTokens: number,
  adapters: readonly string[] | undefined = adapted && ["default"],
): Promise<{ firstMs: number; allMs: number }> {
  const started = performance.now();
  const rows = Array.from({ length: count }, () =>
    engine.start({
      promptIds: randomIds(),
      maxNewTokens,
      eosTokenIds: [],
      ...(adapters && { adapters }),
      sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2] },
    }),
  );
  const ends = await Promise.all(
    rows.map(async (row) => {
      let firstMs = 0;
      const ids = row[Symbol.asyncIterator]();
      while (!(await ids.next()).done) firstMs ||= performance.now() - started;
      return firstMs;
    }),
  );
  return { firstMs: Math.max(...ends), allMs: performance.now() - started };
}

const results: object[] = [];
const withAdapters = adapted && { withAdapters: adapted.withAdapters.bind(adapted) };

/** Passes of one to eight rows; eight rows of 16 to 512 new tokens, beside eight that are as long as each other. */
if (options.mixed) {
  const alone = adapted && []; // without its adapter
  const msOfPass: number[] = [];
  for (let count = 1; count <= 8; count++) {
    using engine = new GenerationEngine(model, { maxRows: 8, ...withAdapters });
    await answer(engine, count, 32, alone);
    const times: number[] = [];
    for (let run = 0; run < 3; run++) {
      const { firstMs, allMs } = await answer(engine, count, 128, alone);
      times.push((allMs - firstMs) / 127);
    }
    msOfPass.push(times.sort((a, b) => a - b)[1]!);
  }
  console.log(`  a pass of 1 to 8 rows: ${msOfPass.map((ms) => ms.toFixed(2)).join(", ")} ms`);
  using engine = new GenerationEngine(model, { maxRows: 8, ...withAdapters });
  const lengths = Array.from({ length: 8 }, (_, row) => Math.round(16 + (row * (512 - 16)) / 7));
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  await Promise.all(lengths.map((length) => answer(engine, 1, length, alone)));
  const started = performance.now();
  await Promise.all(lengths.map((length) => answer(engine, 1, length, alone)));
  const mixedMs = performance.now() - started;
  await answer(engine, 8, 264, alone);
  const { allMs } = await answer(engine, 8, 264, alone);
  const factor = mixedMs / (tokens / ((8 * 264) / allMs));
  results.push({ mixed: lengths, mixedMs, equalMs: allMs, factor, msOfPass });
  console.log(
    `  8 rows of ${lengths.join(", ")}: ${mixedMs.toFixed(0)} ms, ${factor.toFixed(2)} of what eight equal rows take for as many tokens`,
  );
}
for (const count of options.rows.split(",").map(Number)) {
  using engine = new GenerationEngine(model, {
    maxRows: count,
    maxCachedTokens: count * (promptTokens + newTokens + 64),
    ...withAdapters,
  });
  await answer(engine, count, newTokens); // compiles, and warms up
  if (adapted) await answer(engine, count, newTokens, []);
  const runs: Record<"firstMs" | "tokensPerSecond" | "dispatches", number>[] = [];
  const speedOf = ({ firstMs, allMs }: { firstMs: number; allMs: number }): number => (1000 * count * (newTokens - 1)) / (allMs - firstMs);
  const withoutAdapter: number[] = []; // in turn with those with it, since clocks and hosts drift
  for (let run = 0; run < 7; run++) {
    const before = device.recorder.numDispatches;
    const { firstMs, allMs } = await answer(engine, count, newTokens);
    runs.push({
      firstMs,
      tokensPerSecond: speedOf({ firstMs, allMs }),
      dispatches: (device.recorder.numDispatches - before) / newTokens,
    });
    if (adapted) withoutAdapter.push(speedOf(await answer(engine, count, newTokens, [])));
  }
  const { peakBytes } = device.memory.info();
  const otherBytes = peakBytes - model.weightBytes - engine.cacheBytes;
  const medianOf = (name: "firstMs" | "tokensPerSecond" | "dispatches"): number => runs.map((run) => run[name]).sort((a, b) => a - b)[3]!;
  const median = { firstMs: medianOf("firstMs"), tokensPerSecond: medianOf("tokensPerSecond"), dispatches: medianOf("dispatches") };
  results.push({
    rows: count,
    promptTokens,
    newTokens,
    nf4: options.nf4,
    adapter: options.adapter,
    ...median,
    ...(adapted && { withoutAdapter: withoutAdapter.sort((a, b) => a - b)[3]! }),
    cacheBytes: engine.cacheBytes,
    otherBytes,
  });
  console.log(
    `${String(count).padStart(3)} rows: ${median.tokensPerSecond.toFixed(0)} tokens/s, first token after ${median.firstMs.toFixed(1)} ms, ` +
      `${median.dispatches.toFixed(0)} dispatches a pass, cache ${(engine.cacheBytes / 2 ** 20).toFixed(0)} MiB, at most ${(otherBytes / 2 ** 20).toFixed(0)} MiB beside it and the weights` +
      (adapted ? `, ${(median.tokensPerSecond / withoutAdapter[3]!).toFixed(3)} of the model without its adapter` : ""),
  );
  if (options.profile) {
    const { timings } = await device.recorder.profile(() => answer(engine, count, 32));
    const total = timings.reduce((sum, { totalMs }) => sum + totalMs, 0);
    console.log(`    GPU ${(total / 32).toFixed(3)} ms a pass`);
    for (const { label, count: launches, totalMs } of timings.slice(0, 16))
      console.log(`    ${(totalMs / 32).toFixed(3).padStart(8)} ms ${String(Math.round(launches / 32)).padStart(5)} × ${label}`);
  }
}
if (options.out)
  writeFileSync(
    options.out,
    JSON.stringify({ device: device.capabilities.description, date: new Date().toISOString().slice(0, 10), results }, null, 2),
  );
model.dispose();
device.dispose();
