import type { DataNote } from "@kto/datasets";
import type { DataFormat } from "./layout-parts.js";
import type { RowLengths } from "./lengths.js";
import type { RowSequence } from "./row-sequence.js";
import type { DroppedRow } from "./rows.js";
import type { CachedTokens } from "./tokenize-all.js";

/** What a method prepares of a dataset; each says which sequences `dropped` and the lengths are of. */
export interface PreparedDataset<Row> {
  /** Each is read when it is asked for. */
  rows: RowSequence<Row>;
  dropped: DroppedRow[];
  /** Form of the rows given. */
  format: DataFormat;
  /** Columns of the data that are not read. */
  unreadColumns: string[];
  lengths: RowLengths;
  /** Tokens of each sequence before it was cut. */
  sequenceLengths: Uint32Array;
  /** What is worth knowing of how the rows were read, one of a kind. */
  notes: DataNote[];
  /** Where the tokenised rows are kept, if anywhere. */
  cache?: CachedTokens | undefined;
}
