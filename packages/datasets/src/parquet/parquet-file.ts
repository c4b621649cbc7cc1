import type { ByteSource } from "@kto/core";
import { readBytes } from "../source.js";
import type { TableColumn } from "../tables/table.js";
import { assembledColumn } from "./assembly.js";
import { Budget } from "./budget.js";
import { unpackerOf } from "./codecs.js";
import { ColumnChunk } from "./column-chunk.js";
import { failing } from "./damage.js";
import { type Footer, readFooter } from "./footer.js";
import { PageCache } from "./page-cache.js";
import { schemaTree } from "./schema.js";

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
  readonly #name: string;
  readonly #footer: Footer;
  readonly #tree: ReturnType<typeof schemaTree>;
  readonly #context: { name: string; cache: PageCache; budget: Budget };

  /** Reads the footer. Throws `FormatError` for what is no Parquet file or cannot be read. */
  static async open(source: ByteSource, name: string): Promise<ParquetFile> {
    return new ParquetFile(source, name, await readFooter(source, name));
  }

  private constructor(source: ByteSource, name: string, footer: Footer) {
    this.#source = source;
    this.#name = name;
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
    const fail = failing(this.#name, where);
    if (infos.length !== leaves.length || leaves.length === 0) fail(`it has ${infos.length} columns, and the schema ${leaves.length}`);
    const wanted = Math.min(numRows, maxRows);
    const chunks: ColumnChunk[] = [];
    let byteLength = 0;
    for (const [place, info] of infos.entries()) {
      const leaf = leaves[place]!;
      const bytes = await readBytes(this.#source, info.start, info.end, this.#name);
      const unpack = await unpackerOf(info.codec, this.#name, leaf.path);
      const chunk = new ColumnChunk(leaf, bytes, info, wanted, unpack, where, this.#context);
      if (chunk.numRows < wanted || (wanted === numRows && chunk.numRows > wanted)) {
        fail(`column ${leaf.path} has ${chunk.numRows} rows, where ${wanted} are expected`);
      }
      byteLength += bytes.byteLength;
      chunks.push(chunk);
    }
    return { columns: columns.map((node) => assembledColumn(node, chunks)), numRows: wanted, byteLength };
  }
}
