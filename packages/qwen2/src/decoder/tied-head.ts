import { sameShape } from "@kto/tensor";
import { toFloat32, type TensorInfo, type TensorReader } from "@kto/safetensors";
import type { DecoderArchitecture } from "./architecture.js";
import type { DecoderConfig } from "./config.js";

/** A checkpoint as it is to be loaded. */
export interface SettledTying {
  reader: TensorReader;
  /** Head and embedding are one matrix. */
  tieWordEmbeddings: boolean;
}

/** Elements that are compared at a time. */
const elementsAtOnce = 2 ** 20;

/**
 * Whether head and embedding are one matrix, as transformers 5 sees it: not if config.json does not say so; and if it does, the weights have the last word.
 * A checkpoint that holds both and different ones keeps both, equal ones are tied, and one that holds the head alone has it for its embedding.
 */
export async function settleTying(
  reader: TensorReader,
  { embedding, outputEmbedding }: DecoderArchitecture,
  { tieWordEmbeddings }: DecoderConfig,
  signal?: AbortSignal,
): Promise<SettledTying> {
  const [input, output] = [`${embedding}.weight`, `${outputEmbedding}.weight`];
  const [inputInfo, outputInfo] = [reader.tensors.get(input), reader.tensors.get(output)];
  if (!tieWordEmbeddings || !outputInfo) return { reader, tieWordEmbeddings };
  if (!inputInfo) return { reader: renamed(reader, { from: output, to: input }), tieWordEmbeddings };
  return { reader, tieWordEmbeddings: await areEqual(reader, inputInfo, outputInfo, signal) };
}

const comparable: Readonly<Record<string, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/** True for matrices with the same numbers; what is no plain float is never equal, and is looked at where it is loaded. */
async function areEqual(reader: TensorReader, a: TensorInfo, b: TensorInfo, signal: AbortSignal | undefined): Promise<boolean> {
  if (!sameShape(a.shape, b.shape)) return false;
  const [sizeA, sizeB] = [comparable[a.dtype], comparable[b.dtype]];
  if (sizeA === undefined || sizeB === undefined) return false;
  const numElements = a.byteLength / sizeA;
  for (let first = 0; first < numElements; first += elementsAtOnce) {
    signal?.throwIfAborted();
    const last = Math.min(first + elementsAtOnce, numElements);
    const [ofA, ofB] = await Promise.all([
      reader.readRange(a.name, first * sizeA, last * sizeA),
      reader.readRange(b.name, first * sizeB, last * sizeB),
    ]);
    if (a.dtype === b.dtype ? !sameBytes(ofA, ofB) : !sameBytes(floats(ofA, a), floats(ofB, b))) return false;
  }
  return true;
}

function floats(bytes: Uint8Array, { dtype }: TensorInfo): Uint8Array {
  const { values } = toFloat32(bytes, dtype);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let index = 0; index < a.byteLength; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** The same reader, with one tensor under another name. */
function renamed(reader: TensorReader, { from, to }: { from: string; to: string }): TensorReader {
  const tensors = new Map(Array.from(reader.tensors, ([name, info]) => (name === from ? [to, { ...info, name: to }] : [name, info])));
  const own = (name: string): string => (name === to ? from : name);
  return {
    ...reader,
    tensors,
    read: (name) => reader.read(own(name)),
    readRange: (name, start, end) => reader.readRange(own(name), start, end),
    stream: (name, chunkBytes) => reader.stream(own(name), chunkBytes),
  };
}
