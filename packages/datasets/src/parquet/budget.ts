import { tooLarge } from "./damage.js";
import { PAGE, type PageHeader } from "./page-header.js";

/** Bytes that any file may unpack to, which take a third of a second. */
const UNPACKED_BYTES = 24 * 2 ** 20;

/** Unpacked bytes for each byte of the file. Where every row repeats a long system prompt, zstd and brotli come to a hundred. */
const UNPACKED_PER_BYTE = 128;

/** Values, nulls included, that any file may hold. */
const VALUES = 2 ** 22;

/** Values for each byte of the file: columns of nulls and of one value cost nothing, and stand beside text that does. */
const VALUES_PER_BYTE = 16;

/**
 * What a file may become. Compression and runs make gigabytes of a few bytes; a file of rows to train on is never like that, and one that is would exhaust
 * the memory before its first row was seen.
 */
export class Budget {
  #unpacked: number;
  #values: number;
  readonly #fileBytes: number;

  constructor(fileBytes: number) {
    this.#fileBytes = fileBytes;
    this.#unpacked = UNPACKED_BYTES + UNPACKED_PER_BYTE * fileBytes;
    this.#values = VALUES + VALUES_PER_BYTE * fileBytes;
  }

  /** Spends what a page unpacks to. Throws `FormatError` where that is more than is left. */
  spend({ kind, unpackedSize, numValues }: PageHeader, name: string, where: string): void {
    this.#unpacked -= unpackedSize;
    this.#values -= kind === PAGE.dictionary ? 0 : numValues;
    const advice = "split it into files, or write it with less compression";
    if (this.#unpacked < 0) {
      const most = UNPACKED_BYTES + UNPACKED_PER_BYTE * this.#fileBytes;
      throw tooLarge(name, where, `a file of ${this.#fileBytes} bytes to unpack to ${most} at most`, "more", advice);
    }
    if (this.#values < 0) {
      const most = VALUES + VALUES_PER_BYTE * this.#fileBytes;
      throw tooLarge(name, where, `a file of ${this.#fileBytes} bytes to hold ${most} values at most, nulls included`, "more", advice);
    }
  }
}
