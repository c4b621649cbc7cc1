import { ArgumentError, excerpt } from "@kto/core";
import { type GgufMetadata, type GgufPlan, type GgufTensorSpec, planGguf } from "../container/header-writer.js";
import type { MetadataValue } from "../container/metadata.js";

/** One of the files that a model is written to, planned. */
export interface Shard {
  /** In the store. */
  readonly path: string;
  readonly plan: GgufPlan<GgufTensorSpec>;
}

/** Most files of one model: all are open at once, and so small a limit is a slip. */
const MAX_SHARDS = 256;

/**
 * Plans a model as one file, or as several where its tensors take more than `splitMaxSize` bytes, cut, named and keyed as llama.cpp's gguf-split does it: `name-00001-of-00003.gguf`,
 * all metadata in the first, a tensor never cut. A tensor that is larger than the limit has a file to itself; if it is the first one, the first file holds metadata alone.
 *
 * @throws ArgumentError for a limit that makes too many files; FormatError as `planGguf`
 */
export function planShards(path: string, metadata: GgufMetadata, tensors: readonly GgufTensorSpec[], splitMaxSize?: number): Shard[] {
  const whole = planGguf(metadata, tensors);
  if (splitMaxSize === undefined) return [{ path, plan: whole }];
  const groups: GgufTensorSpec[][] = [[]];
  let bytes = 0;
  for (const { tensor, byteLength, padding } of whole.tensors) {
    const added = byteLength + padding;
    if (bytes + added > splitMaxSize) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(tensor);
    bytes += added;
  }
  if (groups.length === 1) return [{ path, plan: whole }];
  if (groups.length > MAX_SHARDS)
    throw new ArgumentError({
      operation: "exportGguf",
      problem: "{splitMaxSize} cuts the model into too many files",
      expected: `at most ${MAX_SHARDS}`,
      got: `${groups.length} of up to ${excerpt(splitMaxSize)} bytes`,
      advice: "give a larger size",
      fields: ["splitMaxSize"],
    });
  return groups.map((group, index) => {
    const keys: [string, MetadataValue][] = [
      ["split.no", { type: "u16", value: index }],
      ["split.count", { type: "u16", value: groups.length }],
      ["split.tensors.count", { type: "i32", value: tensors.length }],
    ];
    const plan = planGguf(index === 0 ? [...metadata, ...keys] : keys, group);
    return { path: shardName(path, index, groups.length), plan };
  });
}

function shardName(path: string, index: number, count: number): string {
  const digits = (value: number): string => String(value).padStart(5, "0");
  return `${path.replace(/\.gguf$/i, "")}-${digits(index + 1)}-of-${digits(count)}.gguf`;
}
