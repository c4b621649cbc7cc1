import { excerpt, foreignText, FormatError } from "@kto/core";
import { type JsonValue, parseJsonBytes } from "./json.js";
import { MAX_HEADER_BYTES, MAX_SHARDS } from "./limits.js";

/**
 * Reads `model.safetensors.index.json`: `{ "metadata": …, "weight_map": { tensor: file } }`, turned around to the tensors of each file, in order of first mention.
 * `metadata.total_size` is not trusted: published files are known to state it wrongly.
 *
 * @throws FormatError for anything else, and for file names that leave the folder
 */
export function parseShardIndex(bytes: Uint8Array, source: string): Map<string, string[]> {
  const fail = (what: string, cause?: unknown): never => {
    throw new FormatError(`openCheckpoint: ${source}: ${what}`, { source, cause });
  };
  if (bytes.byteLength > MAX_HEADER_BYTES) fail(`index is too long; expected at most ${MAX_HEADER_BYTES} bytes, got ${bytes.byteLength}`);
  let index: JsonValue;
  try {
    index = parseJsonBytes(bytes);
  } catch (cause) {
    const foreign = foreignText(new TextDecoder().decode(bytes.subarray(0, 400)));
    return fail(`index is not valid JSON; ${foreign === undefined ? (cause as Error).message : `got ${foreign}`}`, cause);
  }
  const weightMap = index instanceof Map ? index.get("weight_map") : undefined;
  if (!(weightMap instanceof Map) || weightMap.size === 0)
    return fail("no weight_map; expected an object with the file name of every tensor");

  const tensorsByFile = new Map<string, string[]>();
  for (const [tensor, fileName] of weightMap) {
    if (typeof fileName !== "string" || !isPlainFileName(fileName)) {
      return fail(
        `bad file name of tensor ${excerpt(tensor, 120)}; expected the name of a file in the same folder, got ${typeof fileName === "string" ? excerpt(fileName, 120) : "no string"}`,
      );
    }
    const listed = tensorsByFile.get(fileName);
    if (listed) listed.push(tensor);
    else tensorsByFile.set(fileName, [tensor]);
  }
  if (tensorsByFile.size > MAX_SHARDS) fail(`too many shards; expected at most ${MAX_SHARDS}, got ${tensorsByFile.size}`);
  return tensorsByFile;
}

/** False for whatever could name a file elsewhere: separators, drive letters, `..`, control characters. */
function isPlainFileName(fileName: string): boolean {
  return /^[^/\\:\p{Cc}]{1,255}$/u.test(fileName) && fileName !== "." && fileName !== "..";
}
