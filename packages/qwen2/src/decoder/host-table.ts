import { CapabilityError } from "@kto/core";
import { byteSize, embedding, withGradientRows, type Device, type FloatDtype, type Shape, type Tensor, type TokenBatch } from "@kto/tensor";

/** Bytes that are read from or written to the device at a time: what lies there besides meanwhile. */
const pieceBytes = 32 * 2 ** 20;

/** The matrix that looks tokens up, in the host's memory: the rows of a batch's tokens go to the device as they are needed, to the bit what they would be there. */
export class HostTable {
  readonly shape: Shape;
  readonly #device: Device;
  readonly #dtype: FloatDtype;
  readonly #label: string;
  /** None where a device only rehearses. */
  readonly #bytes: Uint8Array | undefined;

  private constructor({ device, shape, dtype, label }: Tensor, bytes: Uint8Array | undefined) {
    this.#device = device;
    this.shape = shape;
    this.#dtype = dtype as FloatDtype;
    this.#label = label;
    this.#bytes = bytes;
  }

  /** A copy of a matrix, [vocabSize, hiddenSize] f32 | f16. */
  static async of(matrix: Tensor): Promise<HostTable> {
    const { device, byteLength } = matrix;
    if (device.recorder.isRehearsing) return new HostTable(matrix, undefined);
    const bytes = new Uint8Array(byteLength);
    for (let start = 0; start < byteLength; start += pieceBytes) {
      const shape = [Math.min(pieceBytes, byteLength - start) / byteSize(matrix.dtype)];
      using piece = device.unscoped(() => device.viewOf(matrix, shape, matrix.byteOffset + start, matrix.label));
      bytes.set(await device.readBytes(piece), start);
    }
    return new HostTable(matrix, bytes);
  }

  /** The matrix on the device again, the caller's. */
  toDevice(): Tensor {
    const matrix = this.#device.empty(this.shape, this.#dtype, this.#label);
    for (let start = 0; this.#bytes && start < matrix.byteLength; start += pieceBytes)
      this.#device.writeBytes(matrix, this.#bytes.subarray(start, start + pieceBytes), start);
    return matrix;
  }

  /** What `embedding` gives for a batch, [numTokens, hiddenSize] f32: each token's row is sent once. */
  lookUp({ ids, inputIds: { rowCapacity, gradientRows } }: Pick<TokenBatch, "inputIds"> & { ids: Uint32Array }): Tensor {
    return this.#device.scope("embedding", () => {
      const places = new Map<number, number>();
      const ofTokens = ids.map((id) => {
        if (!places.has(id)) places.set(id, places.size);
        return places.get(id)!;
      });
      const placeOfToken = this.#device.tensor(ofTokens, [ids.length], "u32", "rows of tokens", rowCapacity);
      const rows = this.#rows([...places.keys()], rowCapacity);
      return embedding(gradientRows ? withGradientRows(placeOfToken, gradientRows) : placeOfToken, rows);
    });
  }

  #rows(ids: readonly number[], rowCapacity: number | undefined): Tensor {
    const rows = this.#device.empty([ids.length, this.shape[1]!], this.#dtype, "rows of the embedding", rowCapacity);
    if (!this.#bytes || this.#device.recorder.isRehearsing) return rows;
    const rowBytes = rows.byteLength / ids.length;
    const bytes = new Uint8Array(rows.byteLength);
    for (const [place, id] of ids.entries()) bytes.set(this.#bytes.subarray(id * rowBytes, (id + 1) * rowBytes), place * rowBytes);
    this.#device.writeBytes(rows, bytes);
    return rows;
  }
}

/** Throws CapabilityError for a matrix that is needed on the device all the time. */
export function expectOffloadable({ isTrainable, isHead }: { isTrainable: boolean; isHead: boolean }): void {
  if (!isTrainable && !isHead) return;
  throw new CapabilityError(
    {
      operation: "offloadEmbedding",
      problem: "the embedding cannot be kept on the host",
      expected: "a frozen matrix that only looks tokens up",
      got: isHead ? "one that is the head too (tie_word_embeddings)" : "one that can be trained (trainable: true)",
    },
    { missing: "an embedding of its own" },
  );
}
