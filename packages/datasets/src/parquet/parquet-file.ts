import type { ByteSource } from "@kto/core";
import { readBytes } from "../source.js";
import type { TableColumn } from "../tables/table.js";
import { assembledColumn } from "./assembly.js";
import { Budget } from "./budget.js";
import { unpackerOf } from "./codecs.js";
import { type ChunkContext, ColumnChunk } from "./column-chunk.js";
import { failing } from "./damage.js";
import { type ChunkInfo, type Footer, readFooter } from "./footer.js";
import { PageCache } from "./page-cache.js";
import { schemaTree } from "./schema.js";

/** Bytes between column chunks that are read with them, in place of another request: some writers repeat each column's metadata there. */
const MAX_GAP_BYTES = 2 ** 16;

/** The columns of a row group, or of its first rows. */
export interface RowGroup {
  readonly columns: readonly TableColumn[];
  readonly numRows: number;
  /** Bytes of the file that were read for it. */
  readonly byteLength: number;
}

/** A Parquet file whose footer was read. */
export class ParquetFile {
  readonly #source: ByteSource;
  readonly #footer: Footer;
  readonly #tree: ReturnType<typeof schemaTree>;
  readonly #context: ChunkContext;

  /** Reads the footer. Throws `FormatError` for what is no Parquet file or cannot be read. */
  static async open(source: ByteSource, name: string): Promise<ParquetFile> {
    return new ParquetFile(source, name, await readFooter(source, name));
  }

  private constructor(source: ByteSource, name: string, footer: Footer) {
    this.#source = source;
    this.#footer = footer;
    this.#tree = schemaTree(footer.schema, failing(name, "the footer"));
    this.#context = { name, cache: new PageCache(source.byteLength), budget: new Budget(source.byteLength) };
  }

  get numGroups(): number {
    return this.#footer.rowGroups.length;
  }

  /** The first `maxRows` rows of a row group. Throws `FormatError` where its bytes are not what the footer says. */
  async group(index: number, maxRows: number): Promise<RowGroup> {
    const { numRows, chunks: infos } = this.#footer.rowGroups[index]!;
    const { columns, leaves } = this.#tree;
    const where = `row group ${index}`;
    const fail = failing(this.#context.name, where);
    if (infos.length !== leaves.length || leaves.length === 0) fail(`it has ${infos.length} columns, and the schema ${leaves.length}`);
    const wanted = Math.min(numRows, maxRows);
    const chunks: ColumnChunk[] = [];
    const slice = await this.#rowGroupBytes(infos);
    let byteLength = 0;
    for (const [place, info] of infos.entries()) {
      const leaf = leaves[place]!;
      const bytes = await slice(info.start, info.end);
      const unpack = await unpackerOf(info.codec, this.#context.name, leaf.path);
      const chunk = new ColumnChunk(leaf, bytes, info, wanted, unpack, where, this.#context);
      if (chunk.numRows < wanted || (wanted === numRows && chunk.numRows > wanted)) {
        fail(`column ${leaf.path} has ${chunk.numRows} rows, where ${wanted} are expected`);
      }
      byteLength += bytes.byteLength;
      chunks.push(chunk);
    }
    return { columns: columns.map((node) => assembledColumn(node, chunks)), numRows: wanted, byteLength };
  }

  /** Bytes of the column chunks of a row group: where they lie side by side, as they mostly do, all are read at once. */
  async #rowGroupBytes(infos: readonly ChunkInfo[]): Promise<(start: number, end: number) => Promise<Uint8Array>> {
    const start = infos.reduce((least, info) => Math.min(least, info.start), Infinity);
    const end = infos.reduce((most, info) => Math.max(most, info.end), 0);
    const total = infos.reduce((sum, info) => sum + info.end - info.start, 0);
    if (end - start > total + MAX_GAP_BYTES) return (from, to) => readBytes(this.#source, from, to, this.#context.name);
    const bytes = await readBytes(this.#source, start, end, this.#context.name);
    return async (from, to) => bytes.subarray(from - start, to - start);
  }
}
