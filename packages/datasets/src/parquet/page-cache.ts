import type { DecodedPage } from "./page.js";

/** Memory that decoded pages of a file may take beyond the size of the file itself. */
const CACHED_BYTES = 64 * 2 ** 20;

/**
 * The decoded pages of a file that were used last. A file keeps its packed bytes, and a page is unpacked again when it was dropped, so that memory is bounded
 * by the file's size and not by what it unpacks to; most files fit whole.
 */
export class PageCache {
  readonly #limit: number;
  readonly #pages = new Map<object, DecodedPage>();
  #bytes = 0;

  constructor(fileBytes: number) {
    this.#limit = CACHED_BYTES + fileBytes;
  }

  /** The decoded page of `key`, made by `decode` where it is not kept. */
  get(key: object, decode: () => DecodedPage): DecodedPage {
    const kept = this.#pages.get(key);
    if (kept !== undefined) {
      if (this.#bytes > this.#limit / 2) {
        this.#pages.delete(key); // to the end, where the last used are
        this.#pages.set(key, kept);
      }
      return kept;
    }
    const page = decode();
    this.#pages.set(key, page);
    this.#bytes += page.byteLength;
    for (const [oldest, { byteLength }] of this.#pages) {
      if (this.#bytes <= this.#limit || oldest === key) break;
      this.#pages.delete(oldest);
      this.#bytes -= byteLength;
    }
    return page;
  }
}
