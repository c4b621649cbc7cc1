import { InflateError } from "./inflate-error.js";
import { joined, type BytePiece } from "./pieces.js";

/** Takes bytes off pieces as a decoder asks for them. */
export class ByteQueue {
  readonly #pieces: AsyncIterator<BytePiece>;
  #rest: Uint8Array = new Uint8Array(0);
  loadedBytes = 0;

  constructor(pieces: AsyncIterable<BytePiece>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** What is there of the next `count` bytes, which stay in the queue: fewer only at the end. */
  async peek(count: number): Promise<Uint8Array> {
    while (this.#rest.byteLength < count) {
      const { done, value } = await this.#pieces.next();
      if (done) break;
      this.#rest = joined([this.#rest, value.bytes]);
      this.loadedBytes = value.loadedBytes;
    }
    return this.#rest.subarray(0, count);
  }

  /** The next `count` bytes. Throws InflateError when there are fewer. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = await this.peek(count);
    if (bytes.byteLength < count) throw new InflateError("it ends early");
    this.skipped(count);
    return bytes;
  }

  /** Takes `count` bytes that were peeked at. */
  skipped(count: number): void {
    this.#rest = this.#rest.subarray(count);
  }
}
