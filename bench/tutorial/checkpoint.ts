import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { dequantizeScales, isSkipped, nf4Codes, quantizeScales } from "@kto/nf4";
import { weightSpecs } from "@kto/qwen2";
import { numberToBfloat16, type TensorToWrite } from "@kto/safetensors";
import { writeSafetensorsFile } from "@kto/safetensors/node";
import { dynamicMap } from "@kto/tensor";
import { blockSize, BlockPool } from "./block-pool.js";
import { generationConfig, modelConfig } from "./model-config.js";
import type { Shape } from "./shapes.js";

export interface CheckpointOptions {
  seed: number;
  /** bfloat16 throughout: the values that the four-bit weights stand for. */
  plain: boolean;
  /** Folder whose files are unpacked beside the weights: `tokenizer.json.gz` and so on, as `prepare.ts` makes them. */
  tokenizerFolder?: string | undefined;
}

/** A linear layer of a decoder block. */
const projection = /_proj\.weight$/u;

/**
 * Writes a model folder of random weights in the layout of a bitsandbytes checkpoint: `model.safetensors`, `config.json`, `generation_config.json` and
 * the tokenizer's files. Weights are made piece by piece while they are written, so that memory holds one piece and the scales.
 *
 * @returns bytes of `model.safetensors`
 */
export async function writeCheckpoint(folder: string, shape: Shape, options: CheckpointOptions): Promise<number> {
  const { plain, tokenizerFolder } = options;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), modelConfig(shape.config, { blocksIn16Bits: shape.blocksIn16Bits, plain }));
  await writeFile(join(folder, "generation_config.json"), `${JSON.stringify(generationConfig, null, 2)}\n`);
  if (tokenizerFolder) await unpackTokenizer(tokenizerFolder, folder);
  return writeSafetensorsFile(join(folder, "model.safetensors"), checkpointTensors(shape, options), { metadata: { format: "pt" } });
}

async function unpackTokenizer(from: string, to: string): Promise<void> {
  const compressed = (await readdir(from)).filter((name) => name.endsWith(".gz"));
  if (!compressed.includes("tokenizer.json.gz"))
    throw new Error(`write-checkpoint: ${from} has no tokenizer.json.gz; make the folder with prepare.ts`);
  for (const name of compressed) await writeFile(join(to, name.slice(0, -3)), gunzipSync(await readFile(join(from, name))));
}

function* checkpointTensors(shape: Shape, { seed, plain }: CheckpointOptions): Generator<readonly [string, TensorToWrite]> {
  const pool = new BlockPool(seed);
  for (const spec of weightSpecs(shape.config)) {
    if (projection.test(spec.name) && !isSkipped(spec.name, shape.blocksIn16Bits))
      yield* fourBitTensors(pool, spec.name, spec.shape, plain);
    else yield [spec.name, sixteenBitTensor(pool, spec.name, spec.shape)];
  }
}

/** Ones for a norm, N(0, 0.02²) for the rest. */
function sixteenBitTensor(pool: BlockPool, name: string, shape: readonly number[]): TensorToWrite {
  const count = shape.reduce((product, size) => product * size, 1);
  const isNorm = name.endsWith("norm.weight");
  return {
    dtype: "BF16",
    shape,
    data: isNorm ? new Uint16Array(count).fill(numberToBfloat16(1)) : () => pieces(pool.bfloat16(name, count)),
  };
}

/** A four-bit weight and its companions, or the bfloat16 weight that they stand for. */
function* fourBitTensors(
  pool: BlockPool,
  name: string,
  shape: readonly number[],
  plain: boolean,
): Generator<readonly [string, TensorToWrite]> {
  const count = shape.reduce((product, size) => product * size, 1);
  const scales = quantizeScales(pool.absmax(name, count));
  if (plain) {
    yield [name, { dtype: "BF16", shape, data: () => pieces(pool.dequantized(name, count, dequantizeScales(scales))) }];
    return;
  }
  const state = new TextEncoder().encode(quantStateJson(shape, scales.offset));
  const companion = (suffix: string, dtype: "U8" | "F32", data: Uint8Array | Float32Array): readonly [string, TensorToWrite] => [
    `${name}.${suffix}`,
    { dtype, shape: [data.length], data },
  ];
  yield [name, { dtype: "U8", shape: [Math.ceil(count / 2), 1], data: () => pieces(pool.packed(name, count)) }];
  yield companion("absmax", "U8", scales.codes);
  yield companion("quant_map", "F32", nf4Codes);
  yield companion("nested_absmax", "F32", scales.absmax);
  yield companion("nested_quant_map", "F32", dynamicMap("signed"));
  yield companion("quant_state.bitsandbytes__nf4", "U8", state);
}

/** The JSON that bitsandbytes stores for a weight, spelt as Python does. */
function quantStateJson([rows, columns]: readonly number[], nestedOffset: number): string {
  return (
    `{"quant_type": "nf4", "blocksize": ${blockSize}, "dtype": "bfloat16", "shape": [${rows}, ${columns}], ` +
    `"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": ${nestedOffset}}`
  );
}

async function* pieces(from: Generator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* from;
}
