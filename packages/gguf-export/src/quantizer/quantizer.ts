import { ArgumentError } from "@kto/core";
import { availableThreads } from "#platform";
import { expectBlocks, expectFinite, expectImportance, expectMagnitudes, tooLarge } from "../blocks/checks.js";
import { extreme } from "../blocks/rounding.js";
import { GGML_TYPES } from "../ggml-types.js";
import { expectQuantizedType, quantize, type QuantizedType, type QuantizeOptions } from "../quantize.js";
import { compileModule } from "./compiled-module.js";
import { openKernel, type Piece } from "./kernel.js";
import { callingThread, disposedError, type Runner } from "./runner.js";
import { WorkerPool } from "./worker-pool.js";

/** Values of a piece at most, but for a row that is longer: 1 MiB. */
const PIECE_VALUES = 2 ** 18;

/** More threads than any machine has that runs this; a larger number is a mistake. */
const MAX_THREADS = 256;

/** How a quantizer is opened. */
export interface QuantizerOptions {
  /** Worker threads; by default as many as run at the same time on this machine. 0 quantises on the calling thread. */
  threads?: number | undefined;
}

/** How to quantise a tensor. */
export interface QuantizeRowsOptions extends QuantizeOptions {
  /** Values of a row, a whole number of blocks. */
  rowSize: number;
  /** Ends the work; the promise then rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** Quantises on several threads with compiled code; the bytes are those of `quantize`. */
export interface Quantizer {
  /** Worker threads; 0 where there are none, and everything runs on the calling thread. */
  readonly threads: number;
  /**
   * Whole rows as a tensor of another type. Calls may overlap. Beside values and result, about 2 MiB a thread are in memory, or two rows where they are longer.
   *
   * @param values  f32, rows of `rowSize` values, which stay the caller's
   * @throws as `quantize`; CapabilityError when a thread failed, or the quantizer was disposed before the end
   */
  quantize(type: QuantizedType, values: Float32Array, options: QuantizeRowsOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** Ends the threads. */
  dispose(): void;
  [Symbol.dispose](): void;
}

const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose"); // not in every browser yet

/**
 * A quantizer with so many worker threads, which do not keep the process alive while they have nothing to do. Where workers cannot be started all runs on
 * the calling thread, and where there is no WebAssembly with SIMD by the plain code.
 *
 * @throws ArgumentError for a number of threads that is none
 */
export async function openQuantizer({ threads = availableThreads() }: QuantizerOptions = {}): Promise<Quantizer> {
  if (!Number.isSafeInteger(threads) || threads < 0 || threads > MAX_THREADS) {
    throw new ArgumentError({
      operation: "openQuantizer",
      problem: "this is no number of threads",
      expected: `a whole number from 0 to ${MAX_THREADS}`,
      got: String(threads),
    });
  }
  const compiled = await compileModule();
  const runner = compiled && ((threads > 0 && (await WorkerPool.open(threads, compiled))) || callingThread(openKernel(compiled.module)));
  let isDisposed = false;
  const end = (): void => {
    isDisposed = true;
    runner?.dispose();
  };
  return {
    threads: runner?.threads ?? 0,
    async quantize(type, values, options) {
      if (isDisposed) throw disposedError();
      options.signal?.throwIfAborted();
      expectRows(type, values, options);
      if (runner && type !== "F32") return quantizePieces(runner, type, values, options);
      return quantize(values, type, options);
    },
    dispose: end,
    [dispose]: end,
  };
}

function expectRows(type: QuantizedType, values: Float32Array, { rowSize, importance }: QuantizeRowsOptions): void {
  expectQuantizedType("quantize", type);
  const { blockValues } = GGML_TYPES[type];
  const isRow = Number.isSafeInteger(rowSize) && rowSize > 0 && values.length % rowSize === 0;
  if (!isRow || (importance !== undefined && importance.length !== rowSize)) {
    throw new ArgumentError({
      operation: "quantize",
      problem: isRow ? "importance and rows do not fit together" : "these are no whole rows",
      expected: isRow ? `one number for each of ${rowSize} columns` : `a size of a row that divides ${values.length}`,
      got: String(isRow ? importance?.length : rowSize),
    });
  }
  expectBlocks("quantize", rowSize, blockValues, type, "values a row");
  if (importance !== undefined && blockValues > 1) expectImportance(importance, values.length, blockValues);
}

async function quantizePieces(
  runner: Runner,
  type: Exclude<QuantizedType, "F32">,
  values: Float32Array,
  { rowSize, importance, signal }: QuantizeRowsOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { blockValues, blockBytes } = GGML_TYPES[type];
  const pieceValues = rowSize * Math.max(1, Math.floor(PIECE_VALUES / rowSize));
  const columns = blockValues > 1 ? importance?.slice() : undefined; // a view would be sent with all of its memory
  const bytes = new Uint8Array((values.length / blockValues) * blockBytes);
  const refused: number[] = [];
  let isStopped = false;
  const runPiece = async (from: number): Promise<void> => {
    const make = (): Piece | undefined =>
      isStopped || signal?.aborted ? undefined : { type, values: values.slice(from, from + pieceValues), rowSize, importance: columns };
    try {
      const result = await runner.run(make);
      if (!result) return;
      if ("bytes" in result) return bytes.set(result.bytes, (from / blockValues) * blockBytes);
      refused.push("refusedAt" in result ? from + result.refusedAt : from);
      isStopped = true;
    } catch (error) {
      isStopped = true;
      throw error;
    }
  };
  const pieces = await Promise.allSettled(
    Array.from({ length: Math.ceil(values.length / pieceValues) }, (_, index) => runPiece(index * pieceValues)),
  );
  signal?.throwIfAborted();
  const failed = pieces.find((piece) => piece.status === "rejected");
  if (failed) throw failed.reason;
  if (refused.length > 0) throw refusal(type, values, Math.min(...refused));
  return bytes;
}

/** Why values were refused: the first that is not finite, the first that is too large for every type, or the block whose scale is not finite. */
function refusal(type: QuantizedType, values: Float32Array, at: number): Error {
  const { blockValues } = GGML_TYPES[type];
  expectFinite(values, type);
  if (blockValues > 1) expectMagnitudes(values, type);
  return tooLarge(type, at, extreme(values, at, blockValues));
}
