/**
 * Quantising to GGUF, on the processor. `types`: core-seconds for a million weights of every type of blocks, by the plain code and by the compiled, with the
 * bytes compared. `model`: a checkpoint as a GGUF file by so many threads: time, processor time, and the most memory, of a process that does nothing else.
 *
 *   npm run bench -- gguf types [TYPE…]
 *   npx tsx --conditions=@kto/source bench/tutorial/write-checkpoint.ts FOLDER --plain          # 3.55 GB of random bfloat16
 *   npm run bench -- gguf model FOLDER [--type Q4_K_M] [--threads 2]
 */
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileDirectory, folderStore } from "@kto/core/node";
import { exportGguf, GGML_TYPES, type GgufFileType, openQuantizer, quantize, QUANTIZED_TYPES, type QuantizedType } from "@kto/gguf-export";
import { checkpointWeights, openCheckpoint } from "@kto/safetensors";

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { type: { type: "string", default: "Q4_K_M" }, threads: { type: "string", default: "2" } },
});
const [section, ...rest] = positionals;

/** Seconds of processor time of all threads. */
function processorSeconds(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

/** The least of several runs: others share the machine. */
async function leastSeconds(runs: number, run: () => unknown): Promise<number> {
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const before = process.cpuUsage();
    await run();
    seconds.push(processorSeconds(before));
  }
  return Math.min(...seconds);
}

async function timeTypes(types: readonly QuantizedType[]): Promise<void> {
  const rowSize = 2048;
  const bell = (): number => (Math.random() + Math.random() + Math.random() - 1.5) / 20;
  const weights = Float32Array.from({ length: 2 ** 20 }, bell);
  const part = weights.subarray(0, 2 ** 17);
  const columns = Float32Array.from({ length: rowSize }, () => Math.random());
  using quantizer = await openQuantizer({ threads: 0 });
  console.log("core-seconds for a million weights\n| type | plain | compiled | plain, importance | compiled, importance |");
  for (const type of types) {
    const cells: string[] = [];
    for (const importance of GGML_TYPES[type].blockValues === 1 ? [undefined] : [undefined, columns]) {
      const plain = await leastSeconds(2, () => quantize(part, type, { importance }));
      const compiled = await leastSeconds(7, () => quantizer.quantize(type, weights, { rowSize, importance }));
      const made = await quantizer.quantize(type, part, { rowSize, importance });
      if (Buffer.compare(made, quantize(part, type, { importance })) !== 0) throw new Error(`the bytes of ${type} differ`);
      cells.push((plain / (part.length / 1e6)).toFixed(3), (compiled / (weights.length / 1e6)).toFixed(4));
    }
    console.log(`| ${[type, ...cells].join(" | ")} |`);
  }
}

async function timeModel(folder: string): Promise<void> {
  const json = (name: string): unknown =>
    existsSync(join(folder, name)) ? JSON.parse(readFileSync(join(folder, name), "utf8")) : undefined;
  const fixture = new URL("../packages/testing/fixtures/model/tokenizer.json", import.meta.url); // rows without a token are padded
  const tokenizerJson = json("tokenizer.json") ?? JSON.parse(readFileSync(fixture, "utf8"));
  const type = flags.type as GgufFileType;
  const model = {
    name: "random",
    weights: checkpointWeights(await openCheckpoint(fileDirectory(folder))),
    config: json("config.json"),
    generationConfig: json("generation_config.json"),
    tokenizer: { tokenizerJson, tokenizerConfig: json("tokenizer_config.json") },
  };
  const [started, before] = [performance.now(), process.cpuUsage()];
  using quantizer = await openQuantizer({ threads: Number(flags.threads) });
  const { files } = await exportGguf(model, { store: folderStore(folder), types: [type], out: "bench.gguf", overwrite: true, quantizer });
  const seconds = (performance.now() - started) / 1000;
  for (const { path, bytes } of files) {
    const memory = `at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`;
    const processor = `${processorSeconds(before).toFixed(1)} s of processor time`;
    console.log(
      `${type}, ${quantizer.threads} threads: ${(bytes / 1e9).toFixed(3)} GB in ${seconds.toFixed(1)} s, ${processor}, ${memory}`,
    );
    await rm(join(folder, path));
  }
}

const blockTypes = QUANTIZED_TYPES.filter((type) => type !== "F32");
if (section === "types") await timeTypes(rest.length > 0 ? (rest as QuantizedType[]) : blockTypes);
else if (section === "model" && rest[0] !== undefined) await timeModel(rest[0]);
else throw new Error(`bench gguf: expected "types" or "model FOLDER", got ${positionals.join(" ") || "nothing"}`);
