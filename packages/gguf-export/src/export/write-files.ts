import { type ByteSink, FormatError, isKtoError, type Store } from "@kto/core";
import type { WeightSource } from "@kto/safetensors";
import type { QuantizedType } from "../quantize.js";
import type { Quantizer } from "../quantizer/quantizer.js";
import type { ModelTensor } from "../qwen2/model-tensors.js";
import type { Shard } from "./shards.js";

/** A file of a kind: its shards, and the type of every tensor. */
export interface FileToWrite {
  readonly shards: readonly Shard[];
  readonly types: ReadonlyMap<string, QuantizedType>;
}

/** Where the values of files come from, and how they are made. */
export interface FilesContext {
  readonly store: Store;
  readonly weights: WeightSource;
  /** In the order of the files. */
  readonly tensors: readonly ModelTensor[];
  readonly quantizer: Pick<Quantizer, "quantize">;
  /** Importance of the columns by GGUF name. */
  readonly importance: ReadonlyMap<string, Float32Array>;
  /** Values that are read and quantised as one; by default 16 MiB of them. */
  readonly pieceValues?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  onWritten(bytes: number): void;
}

const PIECE_VALUES = 2 ** 22;

/** Pieces on their way at once, so that one is read while others are quantised. */
const PIECES_AT_ONCE = 4;

/** Rows of a tensor. */
interface Piece {
  readonly tensor: ModelTensor;
  readonly from: number;
  readonly to: number;
  readonly isLast: boolean;
}

/**
 * Writes files of several kinds from one read of the weights, piece by piece. All of them appear when all are whole, the first shard of a model last; when anything fails none of
 * them does.
 */
export async function writeFiles(files: readonly FileToWrite[], context: FilesContext): Promise<void> {
  const shards = files.flatMap((file) => file.shards);
  await withSinks(context.store, shards, async (sinks) => {
    const write = async (shard: Shard, bytes: Uint8Array): Promise<void> => {
      await sinks.get(shard)!.write(bytes);
      context.onWritten(bytes.byteLength);
    };
    for (const shard of shards) await write(shard, shard.plan.header);
    await forEachPiece(context, files, async (piece, made) => {
      for (const { shards: parts, types } of files) {
        const shard = parts.find(({ plan }) => plan.tensors.some(({ tensor }) => tensor.name === piece.tensor.name))!;
        await write(shard, made.get(types.get(piece.tensor.name)!)!);
        const { padding } = shard.plan.tensors.find(({ tensor }) => tensor.name === piece.tensor.name)!;
        if (piece.isLast && padding > 0) await write(shard, new Uint8Array(padding));
      }
    });
  });
}

/** Opens all files at once. The last opened is in its place first, so that the first shard of a model, which is the one that is loaded, comes last. */
async function withSinks(
  store: Store,
  [shard, ...rest]: readonly Shard[],
  use: (sinks: ReadonlyMap<Shard, ByteSink>) => Promise<void>,
): Promise<void> {
  if (!shard) return use(new Map());
  await store.write(shard.path, (sink) => withSinks(store, rest, (sinks) => use(new Map([...sinks, [shard, sink]]))));
}

/** Makes every piece in every type that a file has it in, some ahead of the one that is handed on. */
async function forEachPiece(
  context: FilesContext,
  files: readonly FileToWrite[],
  use: (piece: Piece, made: ReadonlyMap<QuantizedType, Uint8Array>) => Promise<void>,
): Promise<void> {
  const { signal, tensors, pieceValues = PIECE_VALUES } = context;
  const waiting: { piece: Piece; made: Promise<ReadonlyMap<QuantizedType, Uint8Array>> }[] = [];
  const handOn = async (): Promise<void> => {
    const { piece, made } = waiting.shift()!;
    await use(piece, await made);
  };
  try {
    for (const piece of piecesOf(tensors, pieceValues)) {
      signal?.throwIfAborted();
      const types = new Set(files.map((file) => file.types.get(piece.tensor.name)!));
      const made = makePiece(piece, types, context);
      made.catch(() => {}); // who waits for it throws
      waiting.push({ piece, made });
      if (waiting.length >= PIECES_AT_ONCE) await handOn();
    }
    while (waiting.length > 0) await handOn();
    signal?.throwIfAborted();
  } finally {
    await Promise.allSettled(waiting.map(({ made }) => made)); // they read from what the caller is about to close
  }
}

function* piecesOf(tensors: readonly ModelTensor[], pieceValues: number): Generator<Piece> {
  for (const tensor of tensors) {
    const [rows = 1, ...rest] = tensor.shape;
    const rowSize = rest.reduce((product, size) => product * size, 1);
    const step = Math.max(1, Math.floor(pieceValues / rowSize));
    for (let from = 0; from < rows; from += step) {
      const to = Math.min(rows, from + step);
      yield { tensor, from, to, isLast: to === rows };
    }
  }
}

async function makePiece(
  { tensor, from, to }: Piece,
  types: ReadonlySet<QuantizedType>,
  { weights, quantizer, importance, signal }: FilesContext,
): Promise<ReadonlyMap<QuantizedType, Uint8Array>> {
  const { name, source, shape } = tensor;
  const values = await weights.read(source, { from, to });
  const rowSize = shape.length === 1 ? values.length : shape.at(-1)!;
  const made = new Map<QuantizedType, Uint8Array>();
  for (const type of types) {
    try {
      made.set(type, await quantizer.quantize(type, values, { rowSize, importance: importance.get(name), signal }));
    } catch (error) {
      if (!isKtoError(error) || error.code !== "ARGUMENT") throw error;
      const where = shape.length === 1 ? source : `${source}, rows ${from} to ${to - 1}`;
      throw new FormatError(`exportGguf: weight ${where} cannot be written: ${error.message}`, { tensor: source, cause: error });
    }
  }
  return made;
}
