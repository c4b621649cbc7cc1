/** Which pages of a cache are taken. Pages are numbered from 0; the lowest free one is given first, so that a cache that was grown stays dense. */
export class PageTable {
  #numPages = 0;
  /** Free pages, the lowest last. */
  readonly #free: number[] = [];

  get numPages(): number {
    return this.#numPages;
  }

  get numFree(): number {
    return this.#free.length;
  }

  /** A page, or undefined when all are taken. */
  take(): number | undefined {
    return this.#free.pop();
  }

  give(page: number): void {
    const at = this.#free.findLastIndex((free) => free > page);
    this.#free.splice(at + 1, 0, page);
  }

  /** Adds free pages up to this number. */
  grow(numPages: number): void {
    const added = Array.from({ length: Math.max(0, numPages - this.#numPages) }, (_, index) => numPages - 1 - index);
    this.#free.unshift(...added);
    this.#numPages = Math.max(this.#numPages, numPages);
  }
}
