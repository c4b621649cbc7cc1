import { BoundsError, SourceError } from "../errors.js";

/** Random access to bytes: what a file, a `Blob`, an HTTP range and an array have in common. */
export interface ByteSource {
  readonly byteLength: number;
  /** File name, path or URL, for messages. */
  readonly name?: string | undefined;
  /** Bytes [start, end). The array may be a view of the source's own memory: read it, do not write to it. */
  slice(start: number, end: number): Promise<Uint8Array>;
  /** Gives back what the source holds (a file descriptor). */
  dispose?(): void | Promise<void>;
}

/** Bytes in memory as a source; slices are views of `bytes`. */
export function bytesSource(bytes: Uint8Array | ArrayBuffer, name?: string): ByteSource {
  // A Buffer of Node is a Uint8Array whose slice() shares memory: what is given out is a plain one.
  const view = bytes instanceof Uint8Array ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
  return { name, byteLength: view.byteLength, slice: async (start, end) => view.subarray(start, end) };
}

/** A `Blob` or `File` (from a file input or drag and drop) as a source; only the slices asked for are read. */
export function blobSource(blob: Blob, name?: string): ByteSource {
  return {
    name: name ?? ("name" in blob && typeof blob.name === "string" ? blob.name : undefined),
    byteLength: blob.size,
    slice: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/**
 * Bytes [start, end) of a source, exactly that many, beginning at a multiple of 8 of their buffer so that any typed array fits over them.
 *
 * @throws BoundsError when the range is outside the source, SourceError when the source gave another number of bytes
 */
export async function readExactly(source: ByteSource, start: number, end: number): Promise<Uint8Array> {
  const where = source.name ?? "source";
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= source.byteLength)) {
    throw new BoundsError(`read: range outside ${where}; expected 0 ≤ start ≤ end ≤ ${source.byteLength}, got [${start}, ${end})`);
  }
  const bytes = start === end ? new Uint8Array(0) : await source.slice(start, end);
  if (bytes.byteLength !== end - start) {
    throw new SourceError(
      `read: ${where} gave another number of bytes; expected ${end - start}, got ${bytes.byteLength}; it may have changed since it was opened`,
      {
        source: source.name,
      },
    );
  }
  return bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
}
