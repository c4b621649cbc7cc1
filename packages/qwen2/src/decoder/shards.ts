import type { TensorToWrite } from "@kto/safetensors";
import { sizeOf } from "@kto/tensor";

/** A tensor of a checkpoint, by its name. */
export type NamedTensor = readonly [name: string, tensor: TensorToWrite];

/** One file of a checkpoint. */
export interface Shard {
  fileName: string;
  tensors: NamedTensor[];
}

const singleFile = "model.safetensors";
const bytesPerElement: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2, U8: 1 };

/** Files that hold weights or say where they are, of any save; `config.json` apart. */
export const weightFiles: RegExp = /^model(-\d{5}-of-\d{5})?\.safetensors$|^model\.safetensors\.index\.json$/;

/** Bytes that a tensor takes in a file. */
export function bytesOnDisk({ dtype, shape }: TensorToWrite): number {
  return bytesPerElement[dtype]! * sizeOf(shape);
}

/**
 * Deals tensors out to files of at most `maxShardBytes`, in their order, by transformers' rule: a tensor larger than that has a file of its own, any other
 * that does not fit begins the next. Files are named `model-00001-of-00004.safetensors`, and `model.safetensors` where one is enough.
 */
export function intoShards(tensors: readonly NamedTensor[], maxShardBytes: number): Shard[] {
  const files: NamedTensor[][] = [];
  let current: NamedTensor[] = [];
  let filled = 0;
  for (const entry of tensors) {
    const byteLength = bytesOnDisk(entry[1]);
    if (byteLength > maxShardBytes) {
      files.push([entry]);
      continue;
    }
    if (filled + byteLength > maxShardBytes) {
      files.push(current);
      current = [];
      filled = 0;
    }
    current.push(entry);
    filled += byteLength;
  }
  if (current.length > 0) files.push(current);
  const five = (n: number): string => String(n).padStart(5, "0");
  return files.map((tensorsOfFile, index) => ({
    fileName: files.length === 1 ? singleFile : `model-${five(index + 1)}-of-${five(files.length)}.safetensors`,
    tensors: tensorsOfFile,
  }));
}

/** The text of `model.safetensors.index.json`, as transformers writes it. */
export function formatShardIndex(shards: readonly Shard[], numParameters: number): string {
  const all = shards.flatMap(({ fileName, tensors }) => tensors.map(([name, tensor]) => ({ name, fileName, tensor })));
  const index = {
    metadata: {
      total_parameters: numParameters,
      total_size: all.reduce((total, { tensor }) => total + bytesOnDisk(tensor), 0),
    },
    weight_map: Object.fromEntries(all.map(({ name, fileName }) => [name, fileName] as const).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return `${JSON.stringify(index, null, 2)}\n`;
}
