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
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  return { name, byteLength: view.byteLength, slice: async (start, end) => view.subarray(start, end) };
}
