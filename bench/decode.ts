/**
 * What each launch of a decode pass takes, at the 1.5B shape with random weights: those of all layers one after another, as in a pass, without timestamps.
 *
 *   npm run bench -- decode [--rows 1,8,32] [--length 256] [--nf4] [--layers 28] [--out FILE.json]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { KeyValueCache } from "../packages/generate/src/cache/key-value-cache.js";
import { packSamplingSettings, requestDevice, sample, seenSize, type Device, type FewRowsInput, type Tensor } from "@kto/tensor";
import { randomFourBitModel, randomModel, shape1b5 } from "@kto/bench";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "1,8,32" },
    length: { type: "string", default: "256" },
    nf4: { type: "boolean", default: false },
    layers: { type: "string", default: "28" },
    out: { type: "string" },
  },
});

const passesPerTiming = 40;

const device = await requestDevice();
const shape = { ...shape1b5, numHiddenLayers: Number(options.layers) };
const model = options.nf4 ? await randomFourBitModel(device, shape) : randomModel(device, shape, "f16");
const length = Number(options.length);
const results: object[] = [];

for (const numRows of options.rows.split(",").map(Number)) {
  const parts = launches(device, numRows);
  for (const [name, record] of Object.entries(parts)) {
    using capture = device.capture(() => record());
    const times = await timeOf(() => capture.run());
    const count = name === "pass" || name === "head" || name === "sample" ? 1 : model.layers.length;
    const [microseconds, hostMicroseconds] = [times.all, times.host].map((ms) => (1000 * ms) / count) as [number, number];
    results.push({ rows: numRows, name, microseconds, hostMicroseconds });
    console.log(
      `${String(numRows).padStart(3)} rows  ${name.padEnd(10)} ${microseconds.toFixed(2).padStart(9)} µs, of the host ${hostMicroseconds.toFixed(2).padStart(9)} µs`,
    );
  }
}
if (options.out)
  writeFileSync(options.out, JSON.stringify({ device: device.capabilities.description, nf4: options.nf4, length, results }, null, 2));
model.dispose();
device.dispose();

/** What a pass is made of; each of the first ones for every layer in turn. */
function launches(on: Device, numRows: number): Record<string, () => void> {
  const { hiddenSize, intermediateSize, rmsNormEps: eps, vocabSize } = model.config;
  const capacity = Math.ceil(numRows / 16) * 16;
  const values = (columns: number, dtype: "f32" | "f16"): Tensor =>
    on.unscoped(() => {
      const tensor = on.zeros([numRows, columns], dtype, "x", capacity);
      on.writeBytes(tensor, new Uint8Array(tensor.byteLength).fill(0x2c));
      return tensor;
    });
  const x = values(hiddenSize, "f32");
  const [half, wide] = [values(hiddenSize, "f16"), values(intermediateSize, "f16")];
  const cache = new KeyValueCache(model, numRows * (length + 64));
  const rows = Array.from({ length: numRows }, () => ({ length, pages: [] as number[] }));
  for (const row of rows) cache.reserve(row, 1);
  const pagesPerRow = 2 ** Math.ceil(Math.log2(Math.max(4, rows[0]!.pages.length)));
  const table = rows.flatMap(({ pages }) => Array.from({ length: pagesPerRow }, (_, page) => pages[page] ?? 0));
  const places = on.unscoped(() => ({
    pages: on.tensor(table, [numRows, pagesPerRow], "u32"),
    lengths: on.tensor(
      rows.map(() => length),
      [numRows],
      "u32",
    ),
  }));
  const ids = on.unscoped(() =>
    on.tensor(
      rows.map(() => 5),
      [numRows],
      "u32",
      "ids",
      capacity,
    ),
  );
  const attend = cache.newest(places);
  const maxLength = pagesPerRow * 64;
  model.prepareDecode(maxLength);
  const settings = packSamplingSettings(
    rows.map((_, seenRow) => ({ temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2], numDrawn: 0, seenRow })),
  );
  const settingsTable = on.unscoped(() => on.tensor(settings, [numRows, settings.length / numRows], "u32"));
  const seen = on.unscoped(() => on.zeros([numRows, seenSize(vocabSize)], "u32"));
  const logits = values(vocabSize, "f32");
  const qkv = values(2048, "f32");
  const { headDim } = shape1b5;
  const halfTable = on.unscoped(() => on.zeros([maxLength, headDim / 2], "f32"));
  const columns = (first: number): { tensor: Tensor; first: number } => ({ tensor: qkv, first });
  // Each launch writes where the one before it wrote, so that it waits for it, as in a pass.
  const forLayers = (record: (layer: (typeof model.layers)[number]) => Tensor | undefined): void =>
    model.layers.forEach((layer) => record(layer)?.dispose());
  const normed = (weight: Tensor): Pick<FewRowsInput, "x" | "norm" | "operand"> => ({ x, norm: { weight, eps }, operand: "f16" });
  return {
    qkv: () =>
      forLayers(({ qProj, kProj, vProj, inputLayernorm }) => qProj.together!([kProj, vProj], { ...normed(inputLayernorm), dtype: "f32" })),
    attention: () =>
      forLayers(({ index }) =>
        attend(index, { q: columns(0), k: columns(1536), v: columns(1792), tables: { cos: halfTable, sin: halfTable } }),
      ),
    o: () => forLayers(({ oProj }) => oProj.together!([], { x: half, addend: x, dtype: "f32" })),
    gateUp: () =>
      forLayers(({ gateProj, upProj, inputLayernorm }) =>
        gateProj.together!([upProj], { ...normed(inputLayernorm), swiGlu: true, dtype: "f16" }),
      ),
    down: () => forLayers(({ downProj }) => downProj.together!([], { x: wide, addend: x, dtype: "f32" })),
    sample: () => void sample(logits, settingsTable, seen, { into: ids }),
    pass: () => void model.decode({ inputIds: ids, maxLength, attend }),
  };
}

/** Milliseconds of one run among many, warm: until the device is done, and until the host has recorded it. Where they are the same the host is what takes them. */
async function timeOf(run: () => void): Promise<{ all: number; host: number }> {
  const begun = performance.now();
  while (performance.now() - begun < 350) {
    run();
    await device.sync();
  }
  const times: { all: number; host: number }[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let i = 0; i < passesPerTiming; i++) run();
    const host = performance.now() - start;
    await device.sync();
    times.push({ all: (performance.now() - start) / passesPerTiming, host: host / passesPerTiming });
  }
  return times.sort((a, b) => a.all - b.all)[2]!;
}
