import { FormatError } from "@kto/core";
import type { MetadataValue } from "../container/metadata.js";
import { type ImportanceMatrix, meanSquares } from "../imatrix/imatrix.js";
import type { ModelTensor } from "../qwen2/model-tensors.js";

/** Longest text of a key of the matrix in letters, as in llama.cpp's. */
const MAX_TEXT = 127;

/** Throws FormatError for an importance matrix of another model. */
export function expectUsable({ entries }: ImportanceMatrix, tensors: readonly ModelTensor[]): void {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  for (const [name, { sumSquares }] of entries) {
    const columns = shapes.get(name)?.at(-1);
    if (columns === undefined || columns === sumSquares.length) continue;
    throw new FormatError(
      `exportGguf: the importance matrix is of another model; expected ${columns} columns of ${name}, got ${sumSquares.length}`,
      { tensor: name },
    );
  }
  if ([...entries.keys()].some((name) => shapes.has(name))) return;
  throw new FormatError(
    `exportGguf: the importance matrix is of another model; expected an entry for one of its ${tensors.length} tensors, got ${entries.size} others`,
  );
}

/** Mean squares of the columns of every weight that the matrix has. */
export function importanceOf({ entries }: ImportanceMatrix): Map<string, Float32Array> {
  return new Map(Array.from(entries, ([name, entry]) => [name, meanSquares(entry)]));
}

/** What a file says of the matrix that it was made with, as llama.cpp's quantiser does. */
export function importanceKeys({
  name,
  datasets,
  entries,
  chunkCount,
}: ImportanceMatrix & { readonly name: string }): [string, MetadataValue][] {
  const text = (value: string): MetadataValue => ({ type: "string", value: Array.from(value).slice(0, MAX_TEXT).join("") });
  const [dataset] = datasets;
  return [
    ["quantize.imatrix.file", text(name)],
    ...(dataset ? [["quantize.imatrix.dataset", text(dataset)] as [string, MetadataValue]] : []),
    ["quantize.imatrix.entries_count", { type: "u32", value: entries.size }],
    ...(chunkCount > 0 ? [["quantize.imatrix.chunks_count", { type: "u32", value: chunkCount }] as [string, MetadataValue]] : []),
  ];
}
