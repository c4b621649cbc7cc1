import { lastAtMost } from "../dataset.js";
import type { Budget } from "./budget.js";
import type { Unpack } from "./codecs.js";
import { asDamage, type Fail, failing } from "./damage.js";
import type { ChunkInfo } from "./footer.js";
import type { PageCache } from "./page-cache.js";
import { expectPageSize, PAGE, readPageHeader } from "./page-header.js";
import { decodeDictionary, decodePage, type DecodedPage, type PackedPage } from "./page.js";
import type { PageValues } from "./page-values.js";
import type { Leaf } from "./schema.js";

/** What the chunks of a file share. */
export interface ChunkContext {
  /** Name of the file, for messages. */
  readonly name: string;
  readonly cache: PageCache;
  readonly budget: Budget;
}

/** The values of one leaf in one row group: its pages, each decoded when it is read. */
export class ColumnChunk {
  readonly leaf: Leaf;
  /** Rows that begin in the pages that were read. */
  numRows = 0;
  readonly #pages: PackedPage[] = [];
  /** The first row that begins in each page or after it. */
  readonly #firstRows: number[] = [];
  #dictionary: PackedPage | undefined;
  readonly #unpack: Unpack;
  readonly #context: ChunkContext;
  readonly #where: string;

  /** Finds the pages in `bytes` and decodes each once, as far as `numRows` rows need it. Throws `FormatError` that names the column for what is damaged. */
  constructor(leaf: Leaf, bytes: Uint8Array, info: ChunkInfo, numRows: number, unpack: Unpack, where: string, context: ChunkContext) {
    this.leaf = leaf;
    this.#unpack = unpack;
    this.#context = context;
    this.#where = `column ${leaf.path} of ${where}`;
    const fail = failing(context.name, this.#where);
    if (info.physicalType !== leaf.physicalType) fail(`it is of type ${info.physicalType}, and of type ${leaf.physicalType} in the schema`);
    this.#read(bytes, info.numValues, numRows, fail);
  }

  /** Number of pages. */
  get numPages(): number {
    return this.#pages.length;
  }

  /** The page in which a row begins, and the row's place in it. */
  find(row: number): { page: number; rowInPage: number } {
    const page = lastAtMost(this.#firstRows, row);
    return { page, rowInPage: row - this.#firstRows[page]! };
  }

  /** A page, decoded. Throws `FormatError` for one that is damaged. */
  page(index: number): DecodedPage {
    const packed = this.#pages[index]!;
    return this.#context.cache.get(packed, () =>
      this.#decoding(`page ${index}`, (fail) => decodePage(packed, this.#pageContext(fail, this.#dictionaryValues()))),
    );
  }

  /** What reading a value threw, as a `FormatError` that names the column. */
  damage(cause: unknown, row: number): Error {
    return asDamage(cause, this.#context.name, `${this.#where}, row ${row} of it`);
  }

  #read(bytes: Uint8Array, numValues: number, numRows: number, fail: Fail): void {
    const { leaf } = this;
    let offset = 0;
    let entries = 0;
    // The last row of a page with lists may go on in the next one.
    while (entries < numValues && (leaf.maxRepetition === 0 ? this.numRows < numRows : this.numRows <= numRows)) {
      if (offset >= bytes.length) fail(`it holds ${entries} values, where ${numValues} are expected`);
      const { header, bodyStart } = readPageHeader(bytes, offset, fail);
      offset = bodyStart + header.packedSize;
      if (header.kind === PAGE.index) continue;
      const page = { header, body: bytes.subarray(bodyStart, offset) };
      expectPageSize(header, this.#context.name, this.#where);
      this.#context.budget.spend(header, this.#context.name, this.#where);
      if (header.kind === PAGE.dictionary) {
        if (this.#dictionary !== undefined || entries > 0) fail("it has a dictionary where none is expected");
        this.#dictionary = page;
        this.#dictionaryValues();
        continue;
      }
      if (header.numValues === 0) continue;
      this.#addPage(page, fail);
      entries += header.numValues;
    }
    if (entries > numValues) fail(`it holds ${entries} values, where ${numValues} are expected`);
  }

  #addPage(page: PackedPage, fail: Fail): void {
    this.#pages.push(page);
    this.#firstRows.push(this.numRows);
    const { numRows, repetitions } = this.page(this.#pages.length - 1);
    if (this.#pages.length === 1 && repetitions !== undefined && repetitions[0] !== 0) fail("its first row has no beginning");
    this.numRows += numRows;
  }

  #dictionaryValues(): PageValues | undefined {
    const page = this.#dictionary;
    if (page === undefined) return undefined;
    return this.#context.cache.get(page, () =>
      this.#decoding("its dictionary", (fail) => decodeDictionary(page, this.#pageContext(fail, undefined))),
    ).values;
  }

  #pageContext(fail: Fail, dictionary: PageValues | undefined) {
    return { leaf: this.leaf, unpack: this.#unpack, dictionary, fail };
  }

  #decoding<Result>(what: string, decode: (fail: Fail) => Result): Result {
    const { name } = this.#context;
    const where = `${this.#where}, ${what}`;
    try {
      return decode(failing(name, where));
    } catch (cause) {
      throw asDamage(cause, name, where);
    }
  }
}
