import { Dataset } from "./dataset.js";
import { expectRows, toByteSource, type DataSource, type ReadOptions } from "./source.js";

/**
 * Rows of an Arrow file: an IPC stream, as `Dataset.save_to_disk` of datasets and its cache have it, or the file format. Values are as `readParquet` gives
 * them; rows are made when they are read, from the file's bytes, which are kept.
 *
 * Throws `FormatError` for a file that is not Arrow, is cut off or damaged, is compressed or has columns of types that datasets does not read either
 * (unions, intervals, views); `DataFileError` when there is no row.
 */
export async function readArrow(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  const { name = "data", onProgress } = options;
  const bytes = toByteSource(source);
  const parts: Dataset[] = [];
  let rows = 0;
  const { ArrowReader } = await import("./arrow/arrow-reader.js"); // here, so that a page that reads JSON Lines does without it
  for await (const { batch, loadedBytes } of new ArrowReader(bytes, name).batches(options)) {
    if (batch.length === 0) continue;
    parts.push(batch);
    rows += batch.length;
    onProgress?.({ loadedBytes, totalBytes: bytes.byteLength, rows });
  }
  expectRows("readArrow", rows, name);
  return Dataset.concatenate(parts);
}
