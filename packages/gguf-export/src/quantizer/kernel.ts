import { GGML_TYPES } from "../ggml-types.js";
import type { QuantizedType } from "../quantize.js";

/** Whole rows of a tensor, and what they are to become. */
export interface Piece {
  readonly type: Exclude<QuantizedType, "F32">;
  /** f32, rows of `rowSize` values. */
  readonly values: Float32Array;
  readonly rowSize: number;
  /** Mean squares of the activations of each column of a row. */
  readonly importance?: Float32Array | undefined;
}

/** Bytes of a piece; or a value in the first block that has no finite scale; or that some value is not finite or too large for every type. */
export type PieceResult = { bytes: Uint8Array<ArrayBuffer> } | { refusedAt: number } | { isUnusable: true };

/** The quantisers of `assembly/`, compiled. */
export interface Kernel {
  quantize(piece: Piece): PieceResult;
}

interface Exports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  quantizeBlocks(type: number, values: number, count: number, importance: number, rowSize: number, out: number): number;
}

const UNUSABLE = -2;
const DONE = -1;

/** An instance of the compiled quantisers; its memory grows to the largest piece and is its own. */
export function openKernel(module: WebAssembly.Module): Kernel {
  const { memory, reserve, quantizeBlocks } = new WebAssembly.Instance(module).exports as unknown as Exports;
  return {
    quantize({ type, values, rowSize, importance }) {
      const { id, blockValues, blockBytes } = GGML_TYPES[type];
      const outBytes = (values.length / blockValues) * blockBytes;
      const importanceAt = values.byteLength;
      const outAt = importanceAt + (importance?.byteLength ?? 0);
      const start = reserve(outAt + outBytes);
      if (start === 0) throw new Error(`no memory for ${outAt + outBytes} bytes`);
      new Float32Array(memory.buffer, start, values.length).set(values);
      if (importance) new Float32Array(memory.buffer, start + importanceAt, importance.length).set(importance);
      const refused = quantizeBlocks(id, start, values.length, importance ? start + importanceAt : 0, rowSize, start + outAt);
      if (refused === UNUSABLE) return { isUnusable: true };
      if (refused !== DONE) return { refusedAt: refused * blockValues };
      return { bytes: new Uint8Array(memory.buffer.slice(start + outAt, start + outAt + outBytes)) };
    },
  };
}
