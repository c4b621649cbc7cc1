/** What tells an entry of a cache from others: texts and bytes of everything that decides what is in it. */
export type KeyPart = string | Uint8Array;

/** Bytes of tokenised rows that can be read at any time, at once. */
export interface TokenBytes {
  /** Bytes [start, end) of what was appended. */
  read(start: number, end: number): Uint8Array;
}

/** An entry of a cache: what was appended, and what was written behind it. */
export interface StoredTokens extends TokenBytes {
  readonly index: Uint8Array;
  /** JSON. */
  readonly facts: string;
  /** Where it lies, for who wants to look or to remove it. */
  readonly place: string;
  /** What it takes there. */
  readonly byteLength: number;
}

/** An entry that is being made. */
export interface TokenWriter extends TokenBytes {
  append(bytes: Uint8Array): void;
  /** Makes it an entry, whole or not at all. */
  finish(index: Uint8Array, facts: string): Promise<StoredTokens>;
  /** Leaves nothing of it. */
  discard(): void;
}

/** Where tokenised rows, or what a reference says of them, are kept from one run to the next. `tokenFolder` and `referenceFolder` of `@kto/kit/node` are folders. */
export interface TokenCache {
  /** The entry of a key, if there is one that is whole; a damaged one counts as none. */
  open(key: readonly KeyPart[], signal?: AbortSignal): Promise<StoredTokens | undefined>;
  /** An entry to fill; undefined where nothing can be written. */
  create(key: readonly KeyPart[]): Promise<TokenWriter | undefined>;
}

const PIECE_BYTES = 2 ** 20;

/** Tokenised rows in memory, outside the heap of the engine: for where there is no cache. */
export class TokensInMemory implements TokenBytes {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength;) {
      const at = this.#length % PIECE_BYTES;
      if (at === 0) this.#pieces.push(new Uint8Array(PIECE_BYTES));
      const part = bytes.subarray(done, done + PIECE_BYTES - at);
      this.#pieces.at(-1)!.set(part, at);
      this.#length += part.byteLength;
      done += part.byteLength;
    }
  }

  read(start: number, end: number): Uint8Array {
    const first = Math.floor(start / PIECE_BYTES);
    const within = start - first * PIECE_BYTES;
    if (end - first * PIECE_BYTES <= PIECE_BYTES) return this.#pieces[first]?.subarray(within, within + end - start) ?? new Uint8Array(0);
    const bytes = new Uint8Array(end - start);
    for (let done = 0; done < bytes.byteLength;) {
      const at = start + done;
      const piece = this.#pieces[Math.floor(at / PIECE_BYTES)]!;
      const part = piece.subarray(at % PIECE_BYTES, (at % PIECE_BYTES) + bytes.byteLength - done);
      bytes.set(part, done);
      done += part.byteLength;
    }
    return bytes;
  }
}
