/**
 * Writes a model folder of random weights: by default DeepSeek-R1-Distill-Qwen-1.5B's shape as a bitsandbytes *dynamic* checkpoint (1.81 GB).
 *
 *   npx tsx --conditions=@kto/source bench/tutorial/write-checkpoint.ts FOLDER [--shape 1.5b|7b] [--plain] [--tokenizer FOLDER] [--seed 3407]
 *       [--layers N] [--hidden N] [--intermediate N] [--heads N] [--kv-heads N] [--vocab N]
 *
 * --plain writes the same weights in bfloat16 (3.55 GB). --layers and those after it make a smaller model, for trying things out.
 */
import { parseArgs } from "node:util";
import { writeCheckpoint } from "./checkpoint.js";
import { resized, shapes } from "./shapes.js";

const text = { type: "string" } as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { ...text, default: "1.5b" },
    plain: { type: "boolean", default: false },
    tokenizer: text,
    seed: { ...text, default: "3407" },
    layers: text,
    hidden: text,
    intermediate: text,
    heads: text,
    "kv-heads": text,
    vocab: text,
  },
});
const [folder] = positionals;
if (!folder) throw new Error("write-checkpoint: no folder; expected the model folder to make");
if (!(values.shape in shapes))
  throw new Error(`write-checkpoint: unknown shape; expected ${Object.keys(shapes).join(" or ")}, got ${values.shape}`);
const size = (value: string | undefined): number | undefined => (value === undefined ? undefined : Number(value));
const shape = resized(shapes[values.shape as keyof typeof shapes], {
  numHiddenLayers: size(values.layers),
  hiddenSize: size(values.hidden),
  intermediateSize: size(values.intermediate),
  numAttentionHeads: size(values.heads),
  numKeyValueHeads: size(values["kv-heads"]),
  vocabSize: size(values.vocab),
});

const started = performance.now();
const byteLength = await writeCheckpoint(folder, shape, {
  seed: Number(values.seed),
  plain: values.plain,
  tokenizerFolder: values.tokenizer,
});
const seconds = (performance.now() - started) / 1000;
const memory = process.resourceUsage().maxRSS / 2 ** 20;
console.log(
  `${folder}: model.safetensors of ${(byteLength / 1e9).toFixed(3)} GB in ${seconds.toFixed(1)} s, at most ${memory.toFixed(2)} GiB of memory`,
);
