import { type ByteSource, excerpt, readExactly, type ByteDirectory, FormatError } from "@kto/core";
import type { TensorInfo } from "./header.js";
import { type SafetensorsFile, openSafetensors } from "./safetensors-file.js";
import { parseShardIndex } from "./shard-index.js";
import { type TensorReader, makeReader } from "./tensor-reader.js";

/** Where a tensor of a checkpoint lies; offsets are from the start of `fileName`. */
export interface CheckpointTensorInfo extends TensorInfo {
  readonly fileName: string;
}

/** The weights of a model: one file or several, read as one. */
export interface Checkpoint extends TensorReader<CheckpointTensorInfo> {
  readonly fileNames: readonly string[];
  /** Bytes of all tensors, headers not counted. */
  readonly totalBytes: number;
}

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const PICKLES = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

interface Shard {
  fileName: string;
  source: ByteSource;
  file: SafetensorsFile;
}

/**
 * Opens `model.safetensors`, or else every file that `model.safetensors.index.json` lists, and reads their headers.
 * What is open is closed again when it throws.
 *
 * @throws FormatError when there are no weights, a shard is missing, a listed tensor is not in its shard, or two shards hold the same one
 */
export async function openCheckpoint(directory: ByteDirectory): Promise<Checkpoint> {
  const opened = new Set<ByteSource>();
  const open = async (fileName: string): Promise<ByteSource | undefined> => {
    const source = await directory.open(fileName);
    if (source) opened.add(source);
    return source;
  };
  const close = async (source: ByteSource): Promise<void> => {
    opened.delete(source);
    await source.dispose?.();
  };
  try {
    const single = await open(SINGLE);
    const shards = single
      ? [{ fileName: SINGLE, source: single, file: await openSafetensors(single) }]
      : await openShards(directory, open, close);
    return joinShards(directory, shards);
  } catch (error) {
    for (const source of opened) await close(source);
    throw error;
  }
}

/** Every shard of the index, once each index entry was found in its shard. */
async function openShards(
  { name }: ByteDirectory,
  open: (fileName: string) => Promise<ByteSource | undefined>,
  close: (source: ByteSource) => Promise<void>,
): Promise<Shard[]> {
  const indexSource = await open(INDEX);
  if (!indexSource) {
    const pickle = await firstOf(PICKLES, open);
    if (pickle)
      throw new FormatError(
        `openCheckpoint: ${name} has pickled weights, which run code when they are opened; expected ${SINGLE} or ${INDEX}, got ${pickle}; save the model as safetensors`,
        { source: name },
      );
    throw new FormatError(
      `openCheckpoint: no weights in ${name}; expected ${SINGLE} or ${INDEX}, got neither; pickled weights (*.bin) and GGUF files are not read`,
      { source: name },
    );
  }
  const tensorsByFile = parseShardIndex(await readExactly(indexSource, 0, indexSource.byteLength), `${name}: ${INDEX}`);
  await close(indexSource);

  const settled = await Promise.allSettled(
    Array.from(tensorsByFile, async ([fileName, listed]): Promise<Shard> => {
      const source = await open(fileName);
      if (!source) {
        throw new FormatError(
          `openCheckpoint: shard ${fileName} is missing from ${name}; ${INDEX} lists it for ${listed.length} tensors; download it again`,
          { source: fileName },
        );
      }
      return { fileName, source, file: await openSafetensors(source) };
    }),
  );
  const shards = settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
  for (const { fileName, file } of shards) {
    for (const tensor of tensorsByFile.get(fileName) ?? []) {
      if (file.tensors.has(tensor)) continue;
      const other = shards.find((shard) => shard.file.tensors.has(tensor))?.fileName ?? "no shard";
      throw new FormatError(
        `openCheckpoint: ${INDEX} and the shards of ${name} differ; expected ${excerpt(tensor, 120)} in ${fileName}, found it in ${other}`,
        { source: fileName, tensor },
      );
    }
  }
  return shards;
}

async function firstOf(
  fileNames: readonly string[],
  open: (fileName: string) => Promise<ByteSource | undefined>,
): Promise<string | undefined> {
  for (const fileName of fileNames) if (await open(fileName)) return fileName;
  return undefined;
}

/** One reader over all shards. Tensors that the index does not list are there too, as in transformers. */
function joinShards({ name }: ByteDirectory, shards: readonly Shard[]): Checkpoint {
  const tensors = new Map<string, CheckpointTensorInfo>();
  const sources = new Map(shards.map(({ fileName, source }) => [fileName, source]));
  let totalBytes = 0;
  for (const { fileName, file } of shards) {
    for (const info of file.tensors.values()) {
      const before = tensors.get(info.name);
      if (before) {
        throw new FormatError(
          `openCheckpoint: two shards of ${name} hold the same tensor; expected ${excerpt(info.name, 120)} once, got it in ${before.fileName} and ${fileName}`,
          {
            source: fileName,
            tensor: info.name,
          },
        );
      }
      tensors.set(info.name, { ...info, fileName });
      totalBytes += info.byteLength;
    }
  }
  const reader = makeReader(name, {
    tensors,
    metadata: shards[0]?.file.metadata ?? {},
    sourceOf: (info) => sources.get(info.fileName)!,
    sources: [...sources.values()],
  });
  return { ...reader, fileNames: [...sources.keys()], totalBytes };
}
