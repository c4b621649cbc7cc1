import { type ByteSink, type ByteSource, excerpt, FormatError, readExactly } from "@kto/core";
import { openGguf } from "../container/gguf-file.js";
import { writeGguf } from "../container/writer.js";
import { dequantize } from "../quantize.js";

/** How much each input of each linear layer counts, gathered from text: what quantisers weigh errors with. */
export interface ImportanceMatrix {
  /** By the GGUF name of the weight (`blk.0.attn_q.weight`). */
  readonly entries: ReadonlyMap<string, ImportanceEntry>;
  /** Names of the texts. */
  readonly datasets: readonly string[];
  /** Pieces of text that were run, and the tokens of one; 0 where the file says nothing. */
  readonly chunkCount: number;
  readonly chunkSize: number;
}

/** What was gathered for one weight. */
export interface ImportanceEntry {
  /** [inFeatures]: the sum of the squares of each input over all tokens. */
  readonly sumSquares: Float32Array;
  /** Tokens. */
  readonly count: number;
}

const SUMS = ".in_sum2";
const COUNTS = ".counts";

/**
 * Reads an importance matrix, a GGUF file as llama.cpp's imatrix tool writes it.
 *
 * @param source  stays the caller's
 * @throws FormatError for another file, among them the old format (`.dat`), and for numbers that are none
 */
export async function readImportanceMatrix(source: ByteSource): Promise<ImportanceMatrix> {
  const name = source.name ?? "the file";
  const fail = (problem: string, tensor?: string): FormatError =>
    new FormatError(`readImportanceMatrix: ${name}: ${problem}`, { source: source.name, tensor });
  const start = await readExactly(source, 0, Math.min(4, source.byteLength));
  if (new TextDecoder().decode(start) !== "GGUF")
    throw fail(
      /\.dat$/i.test(name)
        ? "an importance matrix in the old format; expected a GGUF file, got .dat; convert it with llama-imatrix --in-file … --output-format gguf"
        : "no importance matrix; expected a GGUF file; the old format is converted with llama-imatrix --in-file … --output-format gguf",
    );
  const file = await openGguf(source); // not disposed: the source stays the caller's
  const text = (key: string): unknown => file.metadata.get(key)?.value;
  if (text("general.type") !== "imatrix")
    throw fail(
      `no importance matrix; expected general.type "imatrix", got ${excerpt(text("general.type") ?? null)}; give what llama-imatrix or kto imatrix wrote`,
    );
  const entries = new Map<string, ImportanceEntry>();
  const values = async (tensor: string): Promise<Float32Array> => {
    const info = file.tensors.get(tensor);
    if (!info) throw fail(`half of an entry; expected ${excerpt(tensor, 120)} too, got none; make the file again`, tensor);
    if (info.type !== "F32") throw fail(`${excerpt(tensor, 120)} is of another type; expected F32, got ${info.type}`, tensor);
    return dequantize(await file.read(tensor), "F32");
  };
  for (const tensor of file.tensors.keys()) {
    if (!tensor.endsWith(SUMS)) continue;
    const weight = tensor.slice(0, -SUMS.length);
    const counts = await values(weight + COUNTS);
    if (counts.length !== 1)
      throw fail(`${excerpt(weight, 120)} has several experts; expected one matrix, as dense models have, got ${counts.length}`, tensor);
    const sumSquares = await values(tensor);
    const bad = [...sumSquares, counts[0]!].find((value) => !(value >= 0 && Number.isFinite(value)));
    if (bad !== undefined)
      throw fail(`${excerpt(weight, 120)} has a sum that is none; expected finite numbers from 0, got ${bad}; make the file again`, tensor);
    entries.set(weight, { sumSquares, count: counts[0]! });
  }
  if (entries.size === 0) throw fail(`no entries; expected tensors that end in ${SUMS}, got ${file.tensors.size} others`);
  const datasets = text("imatrix.datasets");
  const number = (key: string): number => (typeof text(key) === "number" ? (text(key) as number) : 0);
  return {
    entries,
    datasets: Array.isArray(datasets) ? datasets.map(String) : [],
    chunkCount: number("imatrix.chunk_count"),
    chunkSize: number("imatrix.chunk_size"),
  };
}

/** Writes an importance matrix that llama.cpp's quantiser takes too; entries in the order of their names. */
export async function writeImportanceMatrix(
  sink: ByteSink,
  { entries, datasets, chunkCount, chunkSize }: ImportanceMatrix,
): Promise<number> {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return writeGguf(sink, {
    metadata: [
      ["general.type", { type: "string", value: "imatrix" }],
      ["imatrix.datasets", { type: "array", of: "string", value: datasets }],
      ["imatrix.chunk_count", { type: "u32", value: chunkCount }],
      ["imatrix.chunk_size", { type: "u32", value: chunkSize }],
    ],
    tensors: sorted.flatMap(([weight, { sumSquares, count }]) => [
      { name: weight + SUMS, type: "F32" as const, shape: [sumSquares.length], data: sumSquares },
      { name: weight + COUNTS, type: "F32" as const, shape: [1], data: Float32Array.of(count) },
    ]),
  });
}

/** Mean squares of the inputs of a weight, as quantisers take them: all 1 where no token came. */
export function meanSquares({ sumSquares, count }: ImportanceEntry): Float32Array {
  return count > 0 ? sumSquares.map((sum) => sum / count) : new Float32Array(sumSquares.length).fill(1);
}
